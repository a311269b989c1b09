"""Which changes of an agent are to be undone, as a form or a link of the wiki's activity says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from robot.activity_log import AgentUse, list_agents
from robot.clock import moment, wall_clock
from robot.db import Database
from robot.model import Role, User, Wiki
from robot.web.visitor import whose_agents
from wikihost.content import Content
from wikihost.undoing import MAX_UNDONE
from wikihost.values import LoggedCommit

# From when on, in seconds before now.
SINCE: Mapping[str, tuple[str, int | None]] = {
    "hour": ("in the last hour", 3_600),
    "day": ("in the last 24 hours", 86_400),
    "week": ("in the last 7 days", 7 * 86_400),
    "month": ("in the last 30 days", 30 * 86_400),
    "ever": ("ever", None),
}
_MAX_DIGITS = 10  # of seconds since 1970: calendars have an end


@dataclass(frozen=True, slots=True)
class Selection:
    """Whose changes, and from when on."""

    agent: AgentUse
    since: datetime

    @property
    def message(self) -> str:
        since = "" if self.since.timestamp() == 0 else f" since {self.since:%d %b %Y, %H:%M UTC}"
        return f"Undo what {self.agent.person} changed with “{self.agent.credential_name}”{since}"

    def changes(self, content: Content) -> list[LoggedCommit]:
        """The commits, newest first; one more than can be undone at once where there are more."""
        return content.changes_by(self.agent.credential, self.since, MAX_UNDONE + 1)


async def find_selection(db: Database, user: User, wiki: Wiki, role: Role, sent: Mapping[str, str]) -> Selection | None:
    """What the person asks for; None where they may not know of such an agent, or say no time."""
    agents = await list_agents(db, wiki, whose_agents(user, wiki, role))
    agent = next((agent for agent in agents if agent.credential == sent.get("credential")), None)
    start = _start_of(sent.get("since", ""))
    return None if agent is None or start is None else Selection(agent, start)


def _start_of(since: str) -> datetime | None:
    """The moment that is meant: by a choice of `SINCE`, or in whole seconds since 1970."""
    if since in SINCE:
        seconds = SINCE[since][1]
        return moment(0 if seconds is None else int(wall_clock()) - seconds)
    is_number = since.isascii() and since.isdecimal() and len(since) <= _MAX_DIGITS
    return moment(int(since)) if is_number else None
