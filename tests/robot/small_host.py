"""A platform without sockets: a real database, real wikis on disk, the real applications, and browsers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey
from quart import Response
from quart_trio import QuartTrio

from robot.access import role_of
from robot.accounts import create_user
from robot.activity import Activity, ActivityLimits
from robot.address import PublicAddress
from robot.contents import Contents
from robot.db import Database
from robot.fetch import Door
from robot.hosting import create_hosted_wiki
from robot.imports.jobs import Imports
from robot.imports.repositories import Repositories
from robot.model import Anonymous, Person, User, Visibility, Wiki, WikiRequest
from robot.oauth.documents import ClientDocuments
from robot.oauth.finding import Clients
from robot.oauth.registrations import Registrations
from robot.oauth.tokens import Lives
from robot.search.service import SearchService
from robot.signin.keys import load_session_key
from robot.signin.links import create_link
from robot.signin.sessions import Sessions
from robot.web.platform import AgentSignIn, create_platform_app
from robot.web.wiki_auth import create_wiki_auth_app
from robot.wikis import find_wiki, find_wiki_by_slug
from tests.robot.search_wiki import WatchedModel
from wikihost.imports.values import SourceLimits
from wikihost.layout import DataDir
from wikihost.quota import Quota

ADDRESS = PublicAddress("https", "wiki.test", 443)
UPLOAD_BYTES = 1024 * 1024
REGISTRATIONS_PER_HOUR = 60


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
    platform: QuartTrio
    wiki_auth: QuartTrio
    ada: User
    eve: User

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
async def small_host(root: Path, door: Door | None = None) -> AsyncIterator[SmallHost]:
    """A host that reaches others by `door`, the usual one by default."""
    door = door or Door()
    data = DataDir(root)
    db = Database.open(data.robot_db)
    contents = Contents(data)
    try:
        sessions = Sessions(db, session_key(), issuer=ADDRESS.platform_origin)
        model = WatchedModel()
        search = SearchService(contents, partial(find_wiki, db), model)
        imports = Imports(
            contents=contents,
            data=data,
            domain=ADDRESS.domain,
            limits=SourceLimits(UPLOAD_BYTES),
            repositories=Repositories(door, max_bytes=UPLOAD_BYTES),
        )
        registrations = Registrations(db)
        activity = Activity(db, ActivityLimits(90, 1_000))
        platform = create_platform_app(
            db=db,
            data=data,
            address=ADDRESS,
            sessions=sessions,
            contents=contents,
            activity=activity,
            max_wikis_per_user=5,
            default_quota=Quota(),
            indexer=search,
            finder=search,
            imports=imports,
            max_upload_bytes=UPLOAD_BYTES,
            agents=AgentSignIn(
                registrations=registrations,
                registrations_per_hour=REGISTRATIONS_PER_HOUR,
                clients=Clients(registrations, ClientDocuments(door)),
                lives=Lives(),
            ),
        )
        wiki_auth = create_wiki_auth_app(db=db, address=ADDRESS, sessions=sessions)
        ada = await create_user(db, "ada", "Ada Lovelace")
        eve = await create_user(db, "eve", "Eve")
        yield SmallHost(
            data, db, sessions, contents, search, model, imports, registrations, activity, platform, wiki_auth, ada, eve
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
        wiki = find_wiki_by_slug(self._host.db, origin.partition("://")[2].partition(".")[0])
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


async def text_of(answer: Response) -> str:
    """The body of an answer of a platform's application."""
    return str(await answer.get_data(as_text=True))
