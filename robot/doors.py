"""Builds what answers behind the front. Importing it loads Quart and the MCP SDK, which takes about a second."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

from proxy.asgi import App
from robot.exports import Exports
from robot.fetch import Door
from robot.front import Doors
from robot.git.endpoint import GitDoor
from robot.git.push import PushLimits
from robot.imports.jobs import Imports
from robot.imports.repositories import Repositories
from robot.mcp.call import Calls
from robot.mcp.endpoint import McpEndpoint, stateless
from robot.mcp.listening import Listening
from robot.mcp.server import create_server
from robot.mcp.tools import WRITING_TOOLS
from robot.oauth.documents import ClientDocuments
from robot.oauth.finding import Clients
from robot.oauth.registrations import Registrations
from robot.oauth.tokens import Lives
from robot.page_cache import PageCache
from robot.pages import WikiPages
from robot.quotas import default_quota
from robot.raw_pages import RawPages
from robot.rest.app import create_rest_app
from robot.search.model.choice import choose_model
from robot.search.people import SearchForPeople
from robot.search.service import SearchService
from robot.static_files import create_static_app, otterwiki_static
from robot.supervisor import Core
from robot.web.downloads import Downloads
from robot.web.platform import AgentSignIn, create_platform_app
from robot.web.uploads import Uploads
from robot.web.wiki_auth import create_wiki_auth_app
from robot.wikis import find_wiki
from wikihost.imports.values import SourceLimits
from wikihost.page_state import PageStates


@dataclass(frozen=True, slots=True)
class LoadedDoors:
    """The doors, and the parts among them that run as tasks."""

    front: Doors
    search: SearchService
    for_people: SearchForPeople
    mcp: McpEndpoint
    listening: Listening
    imports: Imports
    page_cache: PageCache
    registrations: Registrations


def load_doors(core: Core) -> LoadedDoors:
    """Build every door from the parts that are running already."""
    door = Door()
    settings = core.settings
    model = choose_model(settings.embedding_model_dir, settings.embedding_model, core.data.models)
    search = SearchService(core.contents, partial(find_wiki, core.db), model)
    for_people = SearchForPeople(search, partial(find_wiki, core.db))
    listening = Listening(core.contents, core.front.judge_again)
    calls = Calls(core.contents, search, core.address.domain)
    mcp = McpEndpoint(stateless(create_server(calls, listening, core.activity), WRITING_TOOLS), listening)
    rest = create_rest_app(
        contents=core.contents,
        search=search,
        domain=core.address.domain,
        spool=core.data.root,
        witness=core.activity,
    )
    imports = Imports(
        contents=core.contents,
        data=core.data,
        domain=core.address.domain,
        limits=SourceLimits(core.settings.max_body_bytes),
        repositories=Repositories(door, max_bytes=core.settings.max_push_bytes),
    )
    registrations = Registrations(core.db)
    platform = _platform(core, door=door, search=search, imports=imports, registrations=registrations)
    wiki_auth = create_wiki_auth_app(db=core.db, sessions=core.sessions, address=core.address)
    page_cache = PageCache(PageStates(), core.fleet.serves, core.settings.page_cache_bytes)
    doors = Doors(
        platform=platform,
        wiki_auth=cast(App, wiki_auth),
        rest=cast(App, rest),
        mcp=mcp,
        git=GitDoor(
            contents=core.contents,
            data=core.data,
            domain=core.address.domain,
            limits=PushLimits(core.settings.max_push_bytes, core.settings.max_body_bytes),
            witness=core.activity,
        ),
        pages=RawPages(core.contents, WikiPages(core.fleet, core.forwarder, core.data, core.address, page_cache)),
        static=create_static_app(otterwiki_static()),
    )
    return LoadedDoors(doors, search, for_people, mcp, listening, imports, page_cache, registrations)


def _platform(
    core: Core, *, door: Door, search: SearchService, imports: Imports, registrations: Registrations
) -> Downloads:
    """The platform's pages, behind what takes in and gives away what is too large for them."""
    pages = create_platform_app(
        db=core.db,
        data=core.data,
        sessions=core.sessions,
        contents=core.contents,
        activity=core.activity,
        address=core.address,
        max_wikis_per_user=core.settings.max_wikis_per_user,
        default_quota=default_quota(core.settings),
        indexer=search,
        finder=search,
        imports=imports,
        max_upload_bytes=core.settings.max_body_bytes,
        agents=AgentSignIn(
            registrations=registrations,
            registrations_per_hour=core.settings.oauth_registrations_per_hour,
            clients=Clients(registrations, ClientDocuments(door)),
            lives=Lives(core.settings.access_token_life, core.settings.refresh_token_life),
        ),
    )
    with_uploads = Uploads(
        cast(App, pages),
        db=core.db,
        sessions=core.sessions,
        imports=imports,
        max_bytes=core.settings.max_body_bytes,
    )
    exports = Exports(core.contents, core.data)
    return Downloads(with_uploads, db=core.db, sessions=core.sessions, exports=exports)
