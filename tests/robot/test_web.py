from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape

from proxy.guard import same_origin_ok
from robot.access import grant_role
from robot.amounts import file_size
from robot.audit import ROBOT, doer_of
from robot.domains.claims import claim_domain
from robot.domains.names import Domain
from robot.model import Role, Scope, Visibility
from robot.tokens import create_token, list_tokens, revoke_token, verify_token
from robot.web.ask import is_served
from robot.web.errors import STANDALONE_CSP, render_error, render_notice, render_waking
from robot.web.page import _ENVIRONMENT, time_ago
from robot.wikis import find_wiki_by_slug
from tests.robot.small_host import ADDRESS, Browser, SmallHost, small_host, text_of
from wikihost.values import Author

PLATFORM = ADDRESS.platform_origin


async def test_no_template_is_compiled_while_somebody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ENVIRONMENT.cache is not None
    _ENVIRONMENT.cache.clear()  # of tests before
    async with small_host(tmp_path) as host:
        assert host.platform.url_map, "it is made when it is looked at"
        monkeypatch.setattr(_ENVIRONMENT, "compile", None)
        assert (await Browser(host).get(PLATFORM, "/")).status_code == 200
        browser = await host.signed_in(host.ada)
        assert (await browser.get(PLATFORM, "/app/create")).status_code == 200


async def test_every_page_carries_the_headers_and_needs_nothing_from_elsewhere(host: SmallHost) -> None:
    await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    browser = await host.signed_in(host.ada)
    paths = [
        "/",
        "/auth/login",
        "/auth/logout",
        "/auth/depart",
        "/auth/callback",
        "/auth/sign-up",
        "/auth/connect",
        "/app/",
        "/app/create",
        "/app/account",
        "/app/account/delete",
        "/app/wiki/notes",
        "/app/wiki/notes/agents",
        "/app/wiki/notes/settings",
        "/app/wiki/notes/import",
        "/app/wiki/notes/export",
        "/app/search?q=wiki",
        "/no",
    ]
    for path in paths:
        for visitor in (browser, Browser(host)):
            answer = await visitor.get(PLATFORM, path)
            assert answer.headers["Cache-Control"] == "no-store", path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
            policy = answer.headers["Content-Security-Policy"]
            for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
                assert part in policy, path
            assert "unsafe" not in policy
            html = await text_of(answer)
            assert not re.search(r"<[^>]+\s(style|on\w+)=", html), path
            loaded = re.findall(r'<(?:link|script|img)[^>]+(?:src|href)="(.*?)"', html)
            assert all(address.startswith("/static/") for address in loaded), path


async def test_static_files_are_kept_for_ever_under_their_version(host: SmallHost) -> None:
    browser = Browser(host)
    page = await text_of(await browser.get(PLATFORM, "/"))
    found = re.findall(r'"(/static/[^"]+)"', page)
    assert {path.partition("?")[0] for path in found} == {"/static/robot.css", "/static/robot.js", "/static/robot.svg"}
    for path in found:
        answer = await browser.get(PLATFORM, path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert (await browser.get(PLATFORM, "/static/robot.css")).headers["Cache-Control"] == "no-cache"
    assert (await browser.get(PLATFORM, "/static/..%2fpage.py")).status_code == 404
    assert (await browser.get(PLATFORM, "/static/nothing.css")).status_code == 404


async def test_the_landing_page_lists_public_wikis_only(host: SmallHost) -> None:
    for slug, visibility in (
        ("open", Visibility.PUBLIC),
        ("obscure", Visibility.UNLISTED),
        ("secret", Visibility.PRIVATE),
    ):
        await host.make_wiki(slug, visibility=visibility)
    page = await text_of(await Browser(host).get(PLATFORM, "/"))
    assert "https://open.wiki.test/" in page
    assert "obscure" not in page.lower()
    assert "secret" not in page.lower()


@pytest.mark.parametrize("path", ["/app/", "/app/create", "/app/wiki/notes", "/app/wiki/notes/agents?a=b"])
async def test_signed_out_visitors_are_sent_to_sign_in_and_back(host: SmallHost, path: str) -> None:
    answer = await Browser(host).get(PLATFORM, path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/auth/login?next=%2Fapp%2F")


async def test_the_dashboard_shows_my_wikis_with_their_figures(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await host.make_wiki("hers", host.eve)
    agent = Author("Ada Lovelace (Claude Code)", "ada@users.wiki.test", {"Robot-Agent": "Claude Code"})
    await host.contents.change(
        wiki, lambda content: content.write_page("A/First", "x", base=None, author=agent, message="later")
    )
    page = await text_of(await (await host.signed_in(host.ada)).get(PLATFORM, "/app/"))
    assert "https://notes.wiki.test/" in page
    assert 'aria-label="Pages: 5 of 5,000"' in page  # four seeds and one
    assert "by Ada Lovelace (Claude Code)" in page
    assert "hers" not in page


async def test_a_wiki_whose_repository_is_broken_does_not_break_the_dashboard(host: SmallHost) -> None:
    await host.make_wiki("fine")
    broken = await host.make_wiki("broken")
    (host.data.wiki(broken.id).git_dir / "HEAD").write_text("garbage")
    answer = await (await host.signed_in(host.ada)).get(PLATFORM, "/app/")
    page = await text_of(answer)
    assert answer.status_code == 200
    assert page.count("figures cannot be read") == 1
    assert 'aria-label="Pages: 4 of 5,000"' in page


GOOD = {"name": "Field Notes", "slug": "field-notes", "description": "About the field.", "visibility": "private"}


async def test_creating_a_wiki(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    answer = await browser.post(PLATFORM, "/app/create", form=GOOD)
    page, _ = await browser.follow(answer, PLATFORM)
    assert "Your wiki is ready" in await text_of(page)
    wiki = find_wiki_by_slug(host.db, "field-notes")
    assert wiki is not None
    assert (wiki.name, wiki.description, wiki.visibility) == ("Field Notes", "About the field.", Visibility.PRIVATE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "ab"), ("slug", "admin"), ("slug", "Field"), ("slug", ""), ("name", ""), ("name", "x" * 81),
        ("name", "a\x00"), ("description", "x" * 501), ("visibility", "secret"), ("visibility", ""),
    ],
)  # fmt: skip
async def test_what_was_typed_is_kept_and_the_mistake_named(host: SmallHost, field: str, value: str) -> None:
    browser = await host.signed_in(host.ada)
    answer = await browser.post(PLATFORM, "/app/create", form={**GOOD, field: value})
    page = await text_of(answer)
    assert answer.status_code == 400
    assert f'id="{field}-problem"' in page
    assert page.count('class="problem"') == 1
    assert ('value="field-notes"' in page) or field == "slug"
    assert ("About the field." in page) or field == "description"
    assert find_wiki_by_slug(host.db, "field-notes") is None


async def test_all_mistakes_are_named_at_once_and_typed_text_is_escaped(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    hostile = "<script>alert(1)</script>" * 30
    answer = await browser.post(PLATFORM, "/app/create", form={"slug": '"><b>', "description": hostile})
    page = await text_of(answer)
    assert page.count('class="problem"') == 4
    assert "<script>alert" not in page
    assert '"><b>' not in page


async def test_a_taken_address_and_the_limit_of_wikis(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    for slug in ("aaa", "bbb", "ccc", "ddd"):
        await host.make_wiki(slug)
    taken = await browser.post(PLATFORM, "/app/create", form={**GOOD, "slug": "aaa"})
    assert taken.status_code == 409
    assert "The address aaa is taken." in await text_of(taken)
    await host.make_wiki("eee")
    full = await browser.post(PLATFORM, "/app/create", form=GOOD)
    assert full.status_code == 409
    assert "You own 5 wikis, and this host allows 5 a person." in await text_of(full)


async def test_the_live_check_of_an_address(host: SmallHost) -> None:
    await host.make_wiki("notes")
    browser = await host.signed_in(host.eve)
    for slug, free in (("notes", False), ("admin", False), ("free-one", True), ("", False)):
        answer = await browser.get(PLATFORM, "/app/create/check", query_string={"slug": slug})
        assert (await answer.get_json())["free"] is free
    assert (await Browser(host).get(PLATFORM, "/app/create/check?slug=notes")).status_code == 303


async def test_a_token_is_made_shown_once_used_and_revoked(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    form = {"name": "Claude Code", "scope": "write", "expiry": "30"}
    shown = await text_of(await browser.post(PLATFORM, "/app/wiki/notes/tokens", form=form))
    secrets = set(re.findall(r"robot_[\w-]+", shown))
    assert len(secrets) == 1
    secret = secrets.pop()
    found = verify_token(host.db, secret, wiki.id)
    assert found is not None
    token = found[0]
    assert (token.name, set(token.scopes)) == ("Claude Code", {Scope.READ, Scope.WRITE})
    assert token.expires is not None
    assert 29 <= (token.expires - token.created).days <= 30
    assert "claude mcp add --transport http notes https://notes.wiki.test/mcp" in shown

    listed = await text_of(await browser.get(PLATFORM, "/app/wiki/notes/agents"))
    assert "Claude Code" in listed
    assert secret not in listed
    address = f"/app/wiki/notes/tokens/{token.id}/revoke"
    assert address in listed
    asked = await browser.get(PLATFORM, address)
    assert asked.status_code == 200
    assert verify_token(host.db, secret, wiki.id) is not None  # asking does nothing
    done, _ = await browser.follow(await browser.post(PLATFORM, address), PLATFORM)
    assert "The token is revoked" in await text_of(done)
    assert verify_token(host.db, secret, wiki.id) is None
    assert (await browser.post(PLATFORM, address)).status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 61}, {"scope": "admin"}, {"expiry": "9999"}, {"scope": ""}]
)
async def test_a_wrong_token_form_is_shown_again(host: SmallHost, wrong: dict[str, str]) -> None:
    wiki = await host.make_wiki("notes")
    form = {"name": "Claude Code", "scope": "write", "expiry": "30", **wrong}
    answer = await (await host.signed_in(host.ada)).post(PLATFORM, "/app/wiki/notes/tokens", form=form)
    assert answer.status_code == 400
    assert (await text_of(answer)).count('class="problem"') == 1
    assert list_tokens(host.db, wiki) == []


async def test_a_token_may_be_confined_to_a_folder(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    ada = await host.signed_in(host.ada)
    form = {"name": "Reporter", "scope": "write", "expiry": "30"}
    for typed, prefix in ((" Städte/Zürich/ ", "Städte/Zürich/"), ("Reports", "Reports/"), ("", None), ("  ", None)):
        made = await ada.post(PLATFORM, "/app/wiki/notes/tokens", form=form | {"folder": typed})
        assert made.status_code == 200, typed
        assert (f"<code>{prefix}</code>" in await text_of(made)) is (prefix is not None)
        ((token, _),) = list_tokens(host.db, wiki)
        assert token.prefix == prefix
        await revoke_token(host.db, wiki, token.id, by=doer_of(host.ada))
    for typed in ("../x", "/x", " / ", "a//b", 'x" <b>/..', "x\x00", ".git"):
        answer = await ada.post(PLATFORM, "/app/wiki/notes/tokens", form=form | {"folder": typed})
        page = await text_of(answer)
        assert answer.status_code == 400, typed
        assert page.count('class="problem"') == 1
        assert "A folder is written as in the names of its pages" in page
        assert "The token was not made yet" in page
        assert f'value="{escape(typed)}"' in page
    assert list_tokens(host.db, wiki) == []


async def test_roles_bound_what_a_person_can_give_see_and_revoke(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    _, adas = await create_token(host.db, host.ada, wiki, "Ada's own", [Scope.WRITE])
    eve = await host.signed_in(host.eve)

    page = await text_of(await eve.get(PLATFORM, "/app/wiki/notes/agents"))
    assert "Ada&#39;s own" not in page
    assert 'value="write"' not in page
    assert (await eve.post(PLATFORM, f"/app/wiki/notes/tokens/{adas.id}/revoke")).status_code == 404
    assert "<dt>Your agents</dt><dd>0<" in await text_of(await eve.get(PLATFORM, "/app/wiki/notes"))
    assert "connected<" not in await text_of(await eve.get(PLATFORM, "/app/"))
    form = {"name": "mine", "scope": "write", "expiry": "never"}
    assert (await eve.post(PLATFORM, "/app/wiki/notes/tokens", form=form)).status_code == 400
    assert (await eve.post(PLATFORM, "/app/wiki/notes/tokens", form={**form, "scope": "read"})).status_code == 200

    ada = await host.signed_in(host.ada)
    page = await text_of(await ada.get(PLATFORM, "/app/wiki/notes/agents"))
    assert "of Eve" in page
    (hers,) = [token for token, person in list_tokens(host.db, wiki) if person == host.eve]
    assert (await ada.post(PLATFORM, f"/app/wiki/notes/tokens/{hers.id}/revoke")).status_code == 303
    assert [token for token, _ in list_tokens(host.db, wiki)] == [adas]


async def test_strangers_reach_nothing_of_a_wiki(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    _, token = await create_token(host.db, host.ada, wiki, "t", [Scope.WRITE])
    eve = await host.signed_in(host.eve)
    forms = {"name": "n", "scope": "read", "expiry": "30"}
    for method, path in (
        ("GET", ""), ("GET", "/agents"), ("POST", "/tokens"), ("POST", "/reindex"), ("POST", "/reindex/cancel"),
        ("GET", "/index"), ("GET", "/settings"),
        ("POST", "/settings"),
        ("GET", f"/tokens/{token.id}/revoke"), ("POST", f"/tokens/{token.id}/revoke"),
    ):  # fmt: skip
        answer = await eve.visit(method, PLATFORM, f"/app/wiki/notes{path}", form=forms if method == "POST" else None)
        assert answer.status_code == 404, path
        assert 'href="/app/"' in await text_of(answer), "the way back"
    assert [listed for listed, _ in list_tokens(host.db, wiki)] == [token]
    assert not host.search.is_indexing(wiki)


async def test_unsafe_requests_from_other_origins_are_refused_before_they_arrive(host: SmallHost) -> None:
    # The front asks `same_origin_ok` for every host; the cookie that a browser sends makes the rule bite.
    browser = await host.signed_in(host.ada)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.jars[PLATFORM].items()).encode()
    for site, allowed in ((b"same-origin", True), (b"none", True), (b"same-site", False), (b"cross-site", False)):
        assert same_origin_ok("POST", [(b"cookie", cookie), (b"sec-fetch-site", site)], PLATFORM) is allowed


async def test_errors_are_pages_that_say_what_to_do(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await host.signed_in(host.ada)
    assert (await browser.get(PLATFORM, "/nothing")).status_code == 404
    assert (await browser.post(PLATFORM, "/")).status_code == 405
    assert (await browser.get(PLATFORM, "/app")).status_code in (301, 308)
    large = await browser.post(PLATFORM, "/app/create", form={**GOOD, "description": "x" * 100_000})
    assert large.status_code == 413
    host.db._writer.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(host.db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    busy = await browser.post(PLATFORM, "/app/create", form=GOOD)
    other.close()
    assert busy.status_code == 503
    assert busy.headers["Content-Security-Policy"] == STANDALONE_CSP
    with monkeypatch.context() as patch:
        patch.setattr("wikihost.lifecycle.default_pages", lambda *_: {f"Page {n}": "" for n in range(5_001)})
        full = await browser.post(PLATFORM, "/app/create", form=GOOD)
    assert (full.status_code, "would have 5,001 pages" in await text_of(full)) == (413, True)
    assert not host.data.wikis.exists()
    with monkeypatch.context() as patch:
        patch.setattr(host.db, "all", lambda *_: 1 / 0)
        broken = await browser.get(PLATFORM, "/app/")
    assert broken.status_code == 500
    assert "ZeroDivision" not in await text_of(broken)


class Tags(HTMLParser):
    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 500, 502, 503, 504, 507])
def test_an_error_page_stands_alone(status: int) -> None:
    page = render_error(status, "<b>Title</b>", "A sentence & more.")
    assert b"&lt;b&gt;Title" in page
    assert b"A sentence &amp; more." in page
    assert b'class="quiet"' in page  # what to do next
    tags = Tags(page).seen
    assert not [tag for tag, _ in tags if tag in ("script", "link", "img")]
    (policy,) = [attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert render_error(status, "T", "S", "Do this.").count(b"Do this.") == 1


def test_the_waking_page_reloads_itself() -> None:
    tags = Tags(render_waking("Field <Notes>", 2)).seen
    assert ("meta", {"http-equiv": "refresh", "content": "2"}) in tags
    assert b"Field &lt;Notes&gt; is waking up" in render_waking("Field <Notes>", 2)
    assert b'href="/"' in render_notice("T", "S", [("Back", "/")])


async def test_only_this_machine_may_ask_for_certificates_and_only_for_names_that_exist(host: SmallHost) -> None:
    await host.give_domain(await host.make_wiki("notes"), "notes.example")
    await claim_domain(host.db, await host.make_wiki("wants"), Domain("wanted.example"), ROBOT)
    browser = Browser(host)
    for domain, status in (
        ("notes.example", 200), ("NOTES.Example.", 200), ("wanted.example", 404), ("www.notes.example", 404),
        ("example", 404), ("notes.example:443", 404), ("127.0.0.1", 404), ("wiki.test", 200), ("WIKI.test.", 200),
        ("notes.wiki.test", 200), ("never.wiki.test", 404), ("a.notes.wiki.test", 404), ("evil.test", 404),
        ("notes.wiki.test.evil.test", 404), ("", 404), (".wiki.test", 404), ("notes", 404),
    ):  # fmt: skip
        answer = await browser.get(PLATFORM, "/api/internal/check-slug", query_string={"domain": domain})
        assert answer.status_code == status, domain
        assert is_served(host.db, ADDRESS, domain) is (status == 200)
    forwarded = await browser.get(
        PLATFORM, "/api/internal/check-slug?domain=wiki.test", headers={"X-Forwarded-For": "127.0.0.1"}
    )
    assert forwarded.status_code == 404


def test_figures_for_people() -> None:
    assert [file_size(n) for n in (0, 1023, 1024, 1536, 5 * 1024**3)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "1.5 KiB",
        "5.0 GiB",
    ]
    now = datetime.now(UTC)
    ages = [0, 61, 7300, 90_000, 40 * 86_400]
    shown = [time_ago(now - timedelta(seconds=age)) for age in ages]
    assert shown[:4] == ["just now", "1 minute ago", "2 hours ago", "1 day ago"]
    assert re.fullmatch(r"\d\d \w{3} \d{4}", shown[4])
