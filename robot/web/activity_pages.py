"""What happened in a wiki, on the platform: what people and agents changed, read, and did to its settings."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from quart import Blueprint, request

from robot.access import may
from robot.accounts import find_user_by_name
from robot.activity import Activity
from robot.activity_log import AgentCall, list_agents
from robot.contents import Contents
from robot.db import Database
from robot.model import Action, Person, User
from robot.timeline import Happening, Place, Sort, Wanted, people_of, place_of, read_timeline
from robot.web.page import render
from robot.web.site import Site
from robot.web.undo_selection import SINCE
from robot.web.visitor import open_wiki, signed_in, whose_agents
from wikihost.values import LoggedCommit

SHOWN = 50
_FILTERS = ("sort", "person", "credential", "client")
_SORTS: Mapping[Sort, str] = {
    Sort.CHANGES: "Changes of pages",
    Sort.CALLS: "Calls of agents",
    Sort.SETTINGS: "Settings, people and agents",
}
_DOORS = {"mcp": "over MCP", "rest": "over REST", "git": "over git", "web": "in the browser"}


def activity_pages(site: Site, *, contents: Contents, activity: Activity) -> Blueprint:
    """`/app/wiki/{slug}/activity`"""
    db, address, sessions = site
    pages = Blueprint("activity", __name__, url_prefix="/app/wiki/<slug>/activity")

    @pages.get("")
    async def show(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        await activity.flush()
        whose = whose_agents(user, wiki, role)
        chosen = {name: value for name in _FILTERS if (value := request.args.get(name))}
        wanted = _wanted(db, whose, chosen, address.domain)
        before = place_of(request.args.get("before", ""))
        happenings, place = await read_timeline(db, contents, wiki, wanted, before, SHOWN)
        agents = await list_agents(db, wiki, whose)
        people = await people_of(db, wiki) if whose is None else []
        return render(
            "activity.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            agents=agents,
            credentials={agent.credential: agent for agent in agents},
            happenings=[(_kind_of(happening), happening) for happening in happenings],
            chosen=chosen,
            sorts=[(sort.value, words) for sort, words in _SORTS.items() if Wanted(whose).has(sort)],
            people=people,
            # People choose what they are called; by their user name they are told apart.
            user_names={person["id"]: person["name"] for person in people},
            doors=_DOORS,
            is_first=before == Place(),
            older=urlencode({**chosen, "before": str(place)}) if place else None,
            sees_all=whose is None,
            may_undo=may(Person(user, role), Action.WRITE, wiki),
            since_choices=[(value, label) for value, (label, _) in SINCE.items()],
            filter_of=lambda agent: urlencode({"credential": agent.credential, "client": agent.client}),
            address_of=lambda name: f"{address.origin_of(wiki)}/{quote(name)}",
        )

    return pages


def _wanted(db: Database, whose: User | None, chosen: Mapping[str, str], domain: str) -> Wanted:
    """What the filters ask for. Nobody but an owner filters by person: others see of calls their own alone."""
    person = find_user_by_name(db, chosen["person"]) if whose is None and "person" in chosen else None
    sort = chosen.get("sort", "")
    return Wanted(
        whose,
        Sort(sort) if sort in list(Sort) else None,
        person,
        None if person is None else f"{person.name}@users.{domain}",
        chosen.get("credential"),
        chosen.get("client"),
    )


def _kind_of(happening: Happening) -> str:
    """Which way the template shows it."""
    if isinstance(happening, LoggedCommit):
        return "change"
    return "call" if isinstance(happening, AgentCall) else "deed"
