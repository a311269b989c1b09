"""Builds what answers behind the front. Importing it loads Quart and the MCP SDK, which takes about a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from proxy.asgi import App
from robot import crawlers
from robot.account_export import AccountExports
from robot.alerts.chosen import chosen_bounds, chosen_ways
from robot.alerts.delivery import Delivery
from robot.alerts.facts import Sources
from robot.alerts.watch import Watch
from robot.contents import HeadListener
from robot.crash_policy import Part
from robot.dns_records import PublicDns
from robot.domains.checking import Checks
from robot.domains.rechecks import Rechecks
from robot.exports import Exports
from robot.fetch import Door
from robot.front import Doors
from robot.git.endpoint import GitDoor
from robot.git.push import PushLimits
from robot.health import Health
from robot.imports.jobs import Imports
from robot.imports.repositories import Repositories
from robot.machine import Machine, MachineParts
from robot.mcp.call import Calls
from robot.mcp.endpoint import McpEndpoint, stateless
from robot.mcp.listening import Listening
from robot.mcp.server import create_server
from robot.mcp.tools import WRITING_TOOLS
from robot.metrics.exposition import Exposition
from robot.oauth.documents import ClientDocuments
from robot.oauth.finding import Clients
from robot.oauth.registrations import Registrations
from robot.oauth.tokens import Lives
from robot.page_cache import PageCache
from robot.pages import WikiPages
from robot.quotas import default_quota
from robot.raw_pages import RawPages
from robot.rest.app import create_rest_app
from robot.sealed_copies import SealedCopies
from robot.search.model.choice import NONE, choose_model
from robot.search.people import SearchForPeople
from robot.search.service import SearchService
from robot.service_status import ServiceStatus
from robot.signin.admission import Admission
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.atproto.handles import HandlePolicy
from robot.signin.atproto.identity import Identities
from robot.signin.atproto.provider import atproto_provider
from robot.signin.atproto.reverify import Reverifier
from robot.signin.oidc.chosen import chosen_provider
from robot.signin.providers import Provider
from robot.static_files import create_static_app, otterwiki_static
from robot.supervisor import Core
from robot.web.all_pages import AgentSignIn, Allowance, PersonSignIn, Works, all_pages
from robot.web.downloads import Downloads
from robot.web.platform import create_platform_app
from robot.web.site import Site
from robot.web.uploads import Uploads
from robot.web.wiki_auth import create_wiki_auth_app
from robot.wikis import find_wiki
from wikihost.imports.values import SourceLimits
from wikihost.page_state import PageStates
from wikihost.questions import Answer


@dataclass(frozen=True, slots=True)
class LoadedDoors:
    """The doors, and what the supervisor is to do with the parts behind them."""

    front: Doors
    parts: Mapping[str, Part]
    """What runs as tasks, by the names in `CRASH_POLICY`, in the order of starting."""
    listening: Part
    """A task too, which ends as soon as the host is to stop."""
    answer: Answer
    """To what workers ask."""
    listeners: tuple[HeadListener, ...]
    """Told of each commit."""


def load_doors(core: Core) -> LoadedDoors:
    """Build every door from the parts that are running already."""
    settings, door, dns = core.settings, Door(), PublicDns()
    crawlers.read_list()
    find = partial(find_wiki, core.db)
    model = choose_model(settings.embedding_model_dir, settings.embedding_model, core.data.models)
    search = SearchService(core.contents, find, model)
    listening = Listening(core.contents, core.front.judge_again)
    calls = Calls(core.contents, search, core.address.domain)
    mcp = McpEndpoint(stateless(create_server(calls, listening, core.witness, core.limits), WRITING_TOOLS), listening)
    imports = Imports(
        db=core.db,
        contents=core.contents,
        data=core.data,
        domain=core.address.domain,
        limits=SourceLimits(settings.max_body_bytes),
        repositories=Repositories(door, max_bytes=settings.max_push_bytes),
    )
    registrations = Registrations(core.db)
    lives = Lives(settings.access_token_life, settings.refresh_token_life)
    agents = AgentSignIn(registrations, Clients(registrations, ClientDocuments(door)), lives)
    identities = Identities(door, dns, plc_directory=settings.plc_directory, policy=HandlePolicy())
    checks = Checks(core.db, dns, core.address)
    page_cache = PageCache(PageStates(), core.fleet.serves, settings.page_cache_bytes)
    machine = _machine(core, search, page_cache)
    works = _works(core, machine, search, imports, checks)
    platform = _platform(core, works, _person_sign_in(core, door, identities), agents)
    parts: dict[str, Part] = {
        "mcp": mcp.run,
        "search": search.run,
        "imports": imports.run,
        "oauth clients": registrations.run,
        "domains": Rechecks(core.db, checks).run,
        "alerts": _alerts(core, machine, door).run,
        "service status": ServiceStatus(machine, lambda: core.meters.requests_so_far).run,
    }
    if settings.bluesky:
        parts["handles"] = Reverifier(core.db, identities).run
    return LoadedDoors(
        front=_front(core, machine, platform, mcp, search, page_cache),
        parts=parts,
        listening=listening.run,
        answer=SearchForPeople(search, find),
        listeners=(search.notify, listening.notify, page_cache.forget),
    )


def _machine(core: Core, search: SearchService, page_cache: PageCache) -> Machine:
    parts = MachineParts(
        workers=core.fleet.status,
        has_zygote=lambda: core.fleet.has_zygote,
        backlog=search.backlog,
        pages=page_cache.tally,
        loop_delay_s=lambda: core.loop_delay.worst_s,
    )
    return Machine(core.data, core.db, core.troubles, parts, max_awake=core.settings.max_awake_wikis)


def _front(
    core: Core, machine: Machine, platform: App, mcp: App, search: SearchService, page_cache: PageCache
) -> Doors:
    return Doors(
        platform=platform,
        wiki_auth=cast(App, create_wiki_auth_app(db=core.db, sessions=core.sessions, address=core.address)),
        rest=cast(
            App,
            create_rest_app(
                contents=core.contents,
                search=search,
                domain=core.address.domain,
                spool=core.data.root,
                witness=core.witness,
            ),
        ),
        mcp=mcp,
        git=GitDoor(
            contents=core.contents,
            data=core.data,
            domain=core.address.domain,
            limits=PushLimits(core.settings.max_push_bytes, core.settings.max_body_bytes),
            witness=core.witness,
            judge_again=core.front.judge_again,
        ),
        pages=RawPages(core.contents, WikiPages(core.fleet, core.forwarder, core.data, core.address, page_cache)),
        static=create_static_app(otterwiki_static()),
        health=Health(machine, Exposition(core.meters, machine, core.db), core.settings.metrics_from),
    )


def _person_sign_in(core: Core, door: Door, identities: Identities) -> PersonSignIn:
    """The identity providers that the settings switch on, in the order in which they are offered."""
    keys = ClientKeys(core.data.keys) if core.settings.bluesky else None
    bluesky = None if keys is None else atproto_provider(door, identities, keys, core.address)
    offered: tuple[Provider | None, ...] = (bluesky, chosen_provider(core.settings, core.address, door))
    return PersonSignIn(
        providers=tuple(provider for provider in offered if provider is not None),
        admission=Admission(core.settings.sign_up, frozenset(core.settings.operators)),
        client_keys=keys,
        resolve_handle=identities.resolve if core.settings.bluesky else None,
    )


def _alerts(core: Core, machine: Machine, door: Door) -> Watch:
    settings = core.settings
    ways = chosen_ways(settings, core.alert_secrets, door)
    sources = Sources(
        core.db,
        machine,
        core.crashes,
        zygote_failures=lambda: core.fleet.zygote_failures,
        wants_index=settings.embedding_model != NONE or settings.embedding_model_dir is not None,
    )
    delivery = Delivery(core.db, ways, core.address.domain)
    return Watch(core.db, sources.gather, chosen_bounds(settings), delivery)


def _works(core: Core, machine: Machine, search: SearchService, imports: Imports, checks: Checks) -> Works:
    settings = core.settings
    return Works(
        data=core.data,
        contents=core.contents,
        activity=core.activity,
        visits=core.visits,
        search=search,
        imports=imports,
        domain_checks=checks,
        machine=machine,
        copies=SealedCopies(core.db, core.data, settings.backup_passphrase_file),
        let_go=core.let_go,
        allowance=Allowance(settings.max_wikis_per_user, default_quota(settings), settings.max_body_bytes),
    )


def _platform(core: Core, works: Works, people: PersonSignIn, agents: AgentSignIn) -> Downloads:
    """The platform's pages, behind what takes in and gives away what is too large for them."""
    site = Site(core.db, core.address, core.sessions)
    app = create_platform_app(
        site,
        all_pages(site, works, people, agents),
        core.limits,
        core.networks,
        contact=core.settings.operator_contact,
    )
    with_uploads = Uploads(
        cast(App, app),
        db=core.db,
        sessions=core.sessions,
        imports=works.imports,
        max_bytes=works.allowance.upload_bytes,
    )
    exports = Exports(core.contents, core.data)
    accounts = AccountExports(core.db, core.address, exports)
    return Downloads(
        with_uploads, db=core.db, sessions=core.sessions, exports=exports, accounts=accounts, limits=core.limits
    )
