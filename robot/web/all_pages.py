"""All pages of the platform, by what they are for, and the parts of the host that they show and move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from quart import Blueprint

from robot.activity import Activity
from robot.addressees import ResolveHandle
from robot.contents import Contents
from robot.deletion import LetGo
from robot.domains.checking import Checks
from robot.imports.jobs import Imports
from robot.machine import Machine
from robot.oauth.finding import Clients
from robot.oauth.old_clients import old_client_pages
from robot.oauth.registration_page import registration_page
from robot.oauth.registrations import Registrations
from robot.oauth.requests import Requests
from robot.oauth.token_page import token_page
from robot.oauth.tokens import Lives
from robot.sealed_copies import SealedCopies
from robot.search.service import SearchService
from robot.signin.admission import Admission
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.providers import Provider
from robot.visits import Visits
from robot.web.account_pages import account_pages
from robot.web.activity_pages import activity_pages
from robot.web.admin_moderation import admin_moderation_pages
from robot.web.admin_pages import admin_pages
from robot.web.admin_people import admin_people_pages
from robot.web.admin_wiki_desk import WikiDesk
from robot.web.admin_wikis import admin_wikis_pages
from robot.web.agent_pages import agent_pages
from robot.web.connect_pages import WaysPage, connect_pages
from robot.web.consent_pages import consent_pages
from robot.web.create_pages import create_pages
from robot.web.dashboard import dashboard_page
from robot.web.delete_pages import delete_pages
from robot.web.domain_pages import domain_pages
from robot.web.export_pages import export_pages
from robot.web.handoff_page import handoff_page
from robot.web.import_pages import import_pages
from robot.web.index_pages import index_pages
from robot.web.invitation_pages import invitation_pages
from robot.web.invite_pages import invite_pages
from robot.web.landing import landing_pages
from robot.web.leaving_pages import leaving_pages
from robot.web.link_pages import link_pages
from robot.web.login_form import LoginForm
from robot.web.member_pages import member_pages
from robot.web.people_page import PeoplePage
from robot.web.provider_pages import provider_pages
from robot.web.revoke_pages import revoke_pages
from robot.web.search_pages import search_pages
from robot.web.settings_pages import settings_pages
from robot.web.signin_documents import signin_documents
from robot.web.signin_pages import signin_pages
from robot.web.signup_pages import signup_pages
from robot.web.site import Site
from robot.web.undo_pages import undo_pages
from robot.web.visit_pages import visit_pages
from robot.web.wiki_pages import wiki_pages
from robot.wikis import is_in_force
from wikihost.layout import DataDir
from wikihost.quota import Quota


@dataclass(frozen=True, slots=True)
class AgentSignIn:
    """The parts of the authorization server (`robot.oauth`)."""

    registrations: Registrations
    clients: Clients
    lives: Lives


@dataclass(frozen=True, slots=True)
class PersonSignIn:
    """How people prove who they are, besides by one-time links, and which of them may make an account.

    `client_keys` are what Bluesky's servers know this host by, None where nobody signs in there; `resolve_handle` finds
    the people there who have no account here, None likewise.
    """

    providers: tuple[Provider, ...] = ()
    admission: Admission = field(default_factory=Admission)
    client_keys: ClientKeys | None = None
    resolve_handle: ResolveHandle | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one person, one wiki and one upload (in bytes) may come to."""

    wikis_per_user: int
    quota: Quota
    upload_bytes: int


@dataclass(frozen=True, slots=True)
class Works:
    """What the pages about wikis, and those of the operator, set in motion."""

    data: DataDir
    contents: Contents
    activity: Activity
    visits: Visits
    search: SearchService
    imports: Imports
    domain_checks: Checks
    machine: Machine
    copies: SealedCopies
    let_go: LetGo
    allowance: Allowance


def all_pages(site: Site, works: Works, people: PersonSignIn, agents: AgentSignIn) -> Iterator[Blueprint]:
    """Every page of the platform's host."""
    requests = Requests(agents.clients, site.address, partial(is_in_force, site.db))
    yield from _sign_in_pages(site, people, requests)
    yield from _account_pages(site, works, people)
    yield from _wiki_pages(site, works)
    yield from _people_pages(site, works, people)
    yield from _agent_pages(site, works, agents, requests)
    yield from _operator_pages(site, works, people)


def _sign_in_pages(site: Site, people: PersonSignIn, requests: Requests) -> Iterator[Blueprint]:
    providers, admission = _by_name(people), people.admission
    form, ways = LoginForm(site.address, requests, providers), WaysPage(site.db, providers)
    yield landing_pages(site)
    yield signin_pages(site, form=form)
    yield provider_pages(site, providers=providers, admission=admission, form=form, ways=ways)
    yield signup_pages(site, admission=admission)
    yield connect_pages(site, page=ways)
    yield link_pages(site)
    yield handoff_page(site)
    if people.client_keys is not None:
        yield signin_documents(address=site.address, keys=people.client_keys)


def _account_pages(site: Site, works: Works, people: PersonSignIn) -> Iterator[Blueprint]:
    allowance = works.allowance
    yield dashboard_page(site, contents=works.contents, indexer=works.search)
    yield search_pages(site, finder=works.search)
    yield create_pages(
        site, data=works.data, max_wikis_per_user=allowance.wikis_per_user, default_quota=allowance.quota
    )
    yield account_pages(site, providers=_by_name(people))
    yield leaving_pages(site)


def _wiki_pages(site: Site, works: Works) -> Iterator[Blueprint]:
    yield wiki_pages(site, contents=works.contents, indexer=works.search)
    yield index_pages(site, indexer=works.search)
    yield settings_pages(site, contents=works.contents)
    yield domain_pages(site, checks=works.domain_checks)
    yield import_pages(site, imports=works.imports, max_bytes=works.allowance.upload_bytes)
    yield export_pages(site)
    yield delete_pages(site, data=works.data, let_go=works.let_go)


def _people_pages(site: Site, works: Works, people: PersonSignIn) -> Iterator[Blueprint]:
    resolve_handle, most = people.resolve_handle, works.allowance.wikis_per_user
    page = PeoplePage(site.db, site.address, works.contents, knows_handles=resolve_handle is not None)
    yield member_pages(site, page=page, max_wikis_per_user=most)
    yield invite_pages(site, page=page, resolve_handle=resolve_handle)
    yield invitation_pages(site, max_wikis_per_user=most)


def _agent_pages(site: Site, works: Works, agents: AgentSignIn, requests: Requests) -> Iterator[Blueprint]:
    yield agent_pages(site)
    yield revoke_pages(site)
    yield activity_pages(site, contents=works.contents, activity=works.activity)
    yield visit_pages(site, visits=works.visits)
    yield undo_pages(site, contents=works.contents, activity=works.activity)
    yield consent_pages(site, clients=agents.clients, requests=requests)
    yield token_page(db=site.db, address=site.address, clients=agents.clients, lives=agents.lives)
    yield registration_page(agents.registrations)
    yield old_client_pages(site.address)


def _operator_pages(site: Site, works: Works, people: PersonSignIn) -> Iterator[Blueprint]:
    yield admin_pages(site, machine=works.machine)
    yield admin_people_pages(site, providers=_by_name(people))
    desk = WikiDesk(
        site.db,
        works.data,
        site.address,
        site.sessions,
        works.machine,
        works.copies,
        works.let_go,
        works.allowance.quota,
    )
    yield admin_wikis_pages(desk)
    yield admin_moderation_pages(desk)


def _by_name(people: PersonSignIn) -> dict[str, Provider]:
    return {provider.name: provider for provider in people.providers}
