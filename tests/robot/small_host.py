"""A platform without sockets: a real database, real wikis on disk, the real applications, and browsers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey
from quart import Blueprint, Response
from quart_trio import QuartTrio

from proxy.hosts import Host, OwnDomain, WikiHost, split_host
from robot.access import drop_role, role_of
from robot.accounts import create_user
from robot.activity import Activity, ActivityLimits
from robot.address import PublicAddress
from robot.audit import ROBOT
from robot.client_address import ClientNetworks
from robot.clock import Clock, wall_clock
from robot.contents import Contents
from robot.db import Database
from robot.deletion import delete_wiki_for_now, purge_wiki
from robot.domains.checking import Checks
from robot.domains.claims import claim_domain, find_claim
from robot.domains.names import Domain
from robot.fetch import Door
from robot.hosting import create_hosted_wiki
from robot.imports.jobs import Imports
from robot.imports.repositories import Repositories
from robot.limits import Limits
from robot.machine import Machine, MachineParts
from robot.model import Anonymous, Person, User, Visibility, Wiki, WikiRequest
from robot.oauth.documents import ClientDocuments
from robot.oauth.finding import Clients
from robot.oauth.registrations import Registrations
from robot.oauth.tokens import Lives
from robot.page_cache import CacheTally
from robot.sealed_copies import SealedCopies
from robot.search.service import SearchService
from robot.signin.keys import load_session_key
from robot.signin.links import create_link
from robot.signin.sessions import Sessions
from robot.troubles import Troubles
from robot.visits import Visits
from robot.web.all_pages import AgentSignIn, Allowance, PersonSignIn, Works, all_pages
from robot.web.platform import create_platform_app
from robot.web.site import Site
from robot.web.wiki_auth import create_wiki_auth_app
from robot.wikis import find_wiki, find_wiki_at
from tests.robot.dns_zone import Zone
from tests.robot.search_wiki import WatchedModel
from wikihost.fleet import WorkerStatus
from wikihost.imports.values import SourceLimits
from wikihost.layout import DataDir
from wikihost.quota import Quota

ADDRESS = PublicAddress("https", "wiki.test", 443)
UPLOAD_BYTES = 1024 * 1024


class FakeClock:
    """A wall clock that tests move."""

    def __init__(self, now: float = 1_900_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class SmallHost:
    """The parts of one platform."""

    data: DataDir
    db: Database
    sessions: Sessions
    contents: Contents
    search: SearchService
    model: WatchedModel
    imports: Imports
    registrations: Registrations
    activity: Activity
    visits: Visits
    limits: Limits
    workers: list[WorkerStatus]
    troubles: Troubles
    machine: Machine
    dns: Zone
    site: Site
    pages: Callable[[], Iterable[Blueprint]]
    ada: User
    eve: User

    @cached_property
    def platform(self) -> QuartTrio:
        """Made when it is looked at: two thirds of what a host costs are the rules of its addresses."""
        return create_platform_app(self.site, self.pages(), self.limits, ClientNetworks())

    @cached_property
    def wiki_auth(self) -> QuartTrio:
        return create_wiki_auth_app(db=self.db, address=ADDRESS, sessions=self.sessions)

    async def make_wiki(
        self, slug: str, owner: User | None = None, visibility: Visibility = Visibility.PRIVATE
    ) -> Wiki:
        return await create_hosted_wiki(
            self.db,
            self.data,
            owner or self.ada,
            slug=slug,
            name=slug.title(),
            description="About things.",
            visibility=visibility,
            domain=ADDRESS.domain,
            quota=Quota(),
        )

    async def give_domain(self, wiki: Wiki, name: str) -> str:
        """Have the wiki get a domain of its own; the origin that it is at then."""
        domain = Domain(name)
        await claim_domain(self.db, wiki, domain, ROBOT)
        claim = find_claim(self.db, wiki)
        assert claim is not None
        self.dns.texts[domain.challenge_name] = [claim.challenge]
        self.dns.cnames[name] = f"{wiki.slug}.{ADDRESS.domain}"
        await Checks(self.db, self.dns, ADDRESS).check(wiki)
        return ADDRESS.own_origin(name)

    async def signed_in(self, user: User) -> Browser:
        browser = Browser(self)
        answer = await browser.get(ADDRESS.platform_origin, f"/auth/link?token={await create_link(self.db, user)}")
        assert answer.status_code == 303
        return browser


@cache
def session_key() -> RSAKey:
    """One key for all tests: making one takes a good part of a second."""
    with tempfile.TemporaryDirectory() as keys:
        return load_session_key(Path(keys))


@asynccontextmanager
async def small_host(
    root: Path,
    door: Door | None = None,
    people: PersonSignIn | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[SmallHost]:
    """A host that reaches others by `door`, the usual one by default, with links alone to sign in by."""
    door = door or Door()
    data = DataDir(root)
    db = Database.open(data.robot_db)
    contents = Contents(data)
    try:
        sessions = Sessions(db, session_key(), issuer=ADDRESS.platform_origin)
        model = WatchedModel()
        search = SearchService(contents, partial(find_wiki, db), model)
        imports = Imports(
            db=db,
            contents=contents,
            data=data,
            domain=ADDRESS.domain,
            limits=SourceLimits(UPLOAD_BYTES),
            repositories=Repositories(door, max_bytes=UPLOAD_BYTES),
        )
        registrations = Registrations(db)
        workers: list[WorkerStatus] = []
        troubles = Troubles()
        limits = limits or Limits()
        activity = Activity(db, ActivityLimits(90, 1_000))
        visits = Visits(data, days=14)
        dns = Zone()

        async def let_go(wiki_id: str) -> None:
            contents.close(wiki_id)

        parts = MachineParts(
            workers=lambda: workers,
            has_zygote=lambda: True,
            backlog=search.backlog,
            pages=CacheTally,
            loop_delay_s=lambda: 0.0,
        )
        machine = Machine(data, db, troubles, parts, max_awake=50)
        works = Works(
            data=data,
            contents=contents,
            activity=activity,
            visits=visits,
            search=search,
            imports=imports,
            domain_checks=Checks(db, dns, ADDRESS),
            machine=machine,
            copies=SealedCopies(db, data, data.root / "passphrase"),
            let_go=let_go,
            allowance=Allowance(5, Quota(), UPLOAD_BYTES),
        )
        agents = AgentSignIn(registrations, Clients(registrations, ClientDocuments(door)), Lives())
        site = Site(db, ADDRESS, sessions)
        ada = await create_user(db, "ada", "Ada Lovelace")
        eve = await create_user(db, "eve", "Eve")
        yield SmallHost(
            data=data,
            db=db,
            sessions=sessions,
            contents=contents,
            search=search,
            model=model,
            imports=imports,
            registrations=registrations,
            activity=activity,
            visits=visits,
            limits=limits,
            workers=workers,
            troubles=troubles,
            machine=machine,
            dns=dns,
            site=site,
            pages=partial(all_pages, site, works, people or PersonSignIn(), agents),
            ada=ada,
            eve=eve,
        )
    finally:
        contents.close_all()
        db.close()


class Browser:
    """Keeps cookies as a browser keeps host-only ones, and refuses any that it would refuse."""

    def __init__(self, host: SmallHost) -> None:
        self._host = host
        self.jars: dict[str, dict[str, str]] = {}

    async def get(self, origin: str, path: str, **more: Any) -> Response:
        return await self.visit("GET", origin, path, **more)

    async def post(self, origin: str, path: str, **more: Any) -> Response:
        return await self.visit("POST", origin, path, **more)

    async def follow(self, answer: Response, origin: str) -> tuple[Response, str]:
        """Go where `answer` leads; returns the next answer and the origin it came from."""
        location = answer.headers["Location"]
        if location.startswith("https://"):
            scheme, _, rest = location.partition("://")
            host, _, path = rest.partition("/")
            origin, location = f"{scheme}://{host}", f"/{path}"
        return await self.get(origin, location), origin

    async def visit(
        self, method: str, origin: str, path: str, headers: dict[str, str] | None = None, **more: Any
    ) -> Response:
        jar = self.jars.setdefault(origin, {})
        sent = {"Host": origin.partition("://")[2], **(headers or {})}
        if jar and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        app, scope = self._door(origin, [(name.lower().encode(), value.encode()) for name, value in sent.items()])
        client = app.test_client(use_cookies=False)
        answer: Response = await client.open(path, method=method, headers=sent, scope_base=scope, **more)
        for line in answer.headers.getlist("Set-Cookie"):
            self._keep(jar, line)
        return answer

    def _door(self, origin: str, headers: list[tuple[bytes, bytes]]) -> tuple[QuartTrio, dict[str, Any]]:
        """What the front decides: which application, and on a wiki's host who is asking."""
        if origin == ADDRESS.platform_origin:
            return self._host.platform, {"client": ("127.0.0.1", 1)}
        place = split_host(Host(origin.partition("://")[2]), ADDRESS.domain)
        assert isinstance(place, WikiHost | OwnDomain)
        wiki = find_wiki_at(self._host.db, place)
        assert wiki is not None
        user = self._host.sessions.wiki_user(headers, wiki)
        actor = Anonymous() if user is None else Person(user, role_of(self._host.db, user.id, wiki.id))
        return self._host.wiki_auth, {"robot.request": WikiRequest(wiki, actor, origin, "r1")}

    def _keep(self, jar: dict[str, str], line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        age = next(part for part in attributes if part.startswith("Max-Age="))
        # Exactly these: no Domain, and nothing that a browser would refuse for a `__Host-` name.
        assert sorted(attributes) == sorted(["Path=/", age, "Secure", "HttpOnly", "SameSite=Lax"])
        assert name.startswith("__Host-")
        if age == "Max-Age=0":
            jar.pop(name, None)
        else:
            jar[name] = value


async def withdraw_role(db: Database, user: User, wiki: Wiki) -> None:
    """Take the role of `user` away, whatever the rules for members are."""
    await db.write(lambda connection: drop_role(connection, user.id, wiki.id))


async def end_for_good(host: SmallHost, wiki: Wiki, clock: Clock = wall_clock) -> None:
    """Have the wiki deleted, and at once so that nobody can have it back."""
    await delete_wiki_for_now(host.db, wiki, ROBOT, clock=clock)
    await purge_wiki(host.db, host.data, wiki.id, ROBOT, clock=clock)


async def text_of(answer: Response) -> str:
    """The body of an answer of a platform's application."""
    return str(await answer.get_data(as_text=True))
