"""What agents did in a wiki, on the platform."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from quart import Blueprint, request

from robot.access import may
from robot.activity import Activity
from robot.activity_log import list_agents, list_calls
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Action, Person
from robot.signin.sessions import Sessions
from robot.web.page import render
from robot.web.undo_selection import SINCE
from robot.web.visitor import open_wiki, signed_in, whose_agents

CALLS_SHOWN = 50
_MAX_ID_DIGITS = 18


def activity_pages(*, db: Database, address: PublicAddress, sessions: Sessions, activity: Activity) -> Blueprint:
    """`/app/wiki/{slug}/activity`"""
    pages = Blueprint("activity", __name__, url_prefix="/app/wiki/<slug>/activity")

    @pages.get("")
    async def show(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        await activity.flush()
        whose = whose_agents(user, wiki, role)
        agents = await list_agents(db, wiki, whose)
        credential, client = request.args.get("credential") or None, request.args.get("client") or None
        calls = await list_calls(
            db,
            wiki,
            whose,
            credential=credential,
            client=client,
            before=_call_id(request.args.get("before", "")),
            limit=CALLS_SHOWN + 1,
        )
        chosen = {name: value for name, value in (("credential", credential), ("client", client)) if value}
        older = {**chosen, "before": str(calls[CALLS_SHOWN - 1].id)} if len(calls) > CALLS_SHOWN else None
        return render(
            "activity.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.wiki_origin(wiki.slug),
            agents=agents,
            credentials={agent.credential: agent for agent in agents},
            calls=calls[:CALLS_SHOWN],
            chosen=chosen,
            is_first="before" not in request.args,
            older=urlencode(older) if older else None,
            sees_all=whose is None,
            may_undo=may(Person(user, role), Action.WRITE, wiki),
            since_choices=[(value, label) for value, (label, _) in SINCE.items()],
            filter_of=lambda agent: urlencode({"credential": agent.credential, "client": agent.client}),
            address_of=lambda name: f"{address.wiki_origin(wiki.slug)}/{quote(name)}",
        )

    return pages


def _call_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_ID_DIGITS else None
