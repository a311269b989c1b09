from __future__ import annotations

import hmac
import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from robot.credential_uses import CredentialUses
from robot.model import User
from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE, cookie_values, set_cookie
from robot.signin.devices import device_of
from robot.signin.handoff import challenge_of, issue_code, nonce_to_use, take_code
from robot.signin.keys import KeyUnreadable, load_session_key
from robot.signin.links import LINK_LIFETIME_S, create_link, person_of_link, redeem_link
from robot.signin.returns import safe_return
from robot.signin.sessions import SESSION_IDLE_S, SESSION_LIFETIME_S, Sessions
from robot.wikis import find_wiki_by_slug
from tests.robot.small_host import ADDRESS, FakeClock, SmallHost, session_key

ISSUER = ADDRESS.platform_origin


def cookies(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", "; ".join(f"{name}={value}" for name, value in pairs).encode())]


def platform(*values: str) -> list[tuple[bytes, bytes]]:
    return cookies(*((PLATFORM_COOKIE, value) for value in values))


async def test_a_session_proves_its_person_until_it_ends(host: SmallHost) -> None:
    clock = FakeClock()
    sessions = Sessions(host.db, session_key(), issuer=ISSUER, clock=clock)
    cookie = await sessions.begin(host.ada)
    assert sessions.platform_user(platform(cookie)) == host.ada
    assert sessions.platform_user([]) is None
    clock.now += SESSION_LIFETIME_S
    assert sessions.platform_user(platform(cookie)) is None


async def test_a_session_lives_while_it_is_used_and_ninety_days_at_most(host: SmallHost) -> None:
    clock = FakeClock()
    uses = CredentialUses(host.db, clock=clock)
    sessions = Sessions(host.db, session_key(), issuer=ISSUER, uses=uses, clock=clock)
    began = clock.now
    used, idle = await sessions.begin(host.ada, device="Firefox on Linux"), await sessions.begin(host.ada)
    for _ in range(3):
        clock.now += SESSION_IDLE_S - 1
        assert sessions.platform_user(platform(used)) == host.ada
        await uses.flush()
        assert sessions.platform_user(platform(idle)) == (host.ada if clock.now < began + SESSION_IDLE_S else None)
        uses = CredentialUses(host.db, clock=clock)
        sessions = Sessions(host.db, session_key(), issuer=ISSUER, uses=uses, clock=clock)
    row = host.db.one("SELECT * FROM sessions WHERE device = 'Firefox on Linux'")
    assert row is not None
    assert (row["last_seen_at"], row["expires_at"]) == (clock.now, began + SESSION_LIFETIME_S)
    clock.now = began + SESSION_LIFETIME_S
    assert sessions.platform_user(platform(used)) is None


async def test_using_a_wiki_keeps_the_session_alive(host: SmallHost) -> None:
    clock = FakeClock()
    uses = CredentialUses(host.db, clock=clock)
    sessions = Sessions(host.db, session_key(), issuer=ISSUER, uses=uses, clock=clock)
    wiki = await host.make_wiki("notes")
    session = sessions.platform_session(platform(await sessions.begin(host.ada)))
    assert session is not None
    code = await issue_code(host.db, session, wiki, challenge_of("n" * 43), "/", clock=clock)
    arrival = await take_code(host.db, code, wiki, ["n" * 43], clock=clock)
    assert arrival is not None
    await uses.flush()
    clock.now += SESSION_IDLE_S - 1
    assert sessions.wiki_user(cookies((WIKI_COOKIE, arrival.cookie)), wiki) == host.ada
    await uses.flush()
    clock.now += SESSION_IDLE_S - 1
    assert sessions.wiki_user(cookies((WIKI_COOKIE, arrival.cookie)), wiki) == host.ada


async def test_a_clock_that_jumps_makes_no_session_that_never_ends(host: SmallHost) -> None:
    clock = FakeClock()
    uses = CredentialUses(host.db, clock=clock)
    sessions = Sessions(host.db, session_key(), issuer=ISSUER, uses=uses, clock=clock)
    began, cookie = clock.now, await sessions.begin(host.ada)
    clock.now += SESSION_IDLE_S - 1
    assert sessions.platform_user(platform(cookie))
    clock.now += 10 * SESSION_LIFETIME_S  # the minute in which uses are written down
    await uses.flush()
    clock.now = began - 3600  # backwards is no reason to sign anybody out
    assert sessions.platform_user(platform(cookie)) == host.ada
    clock.now = began + SESSION_LIFETIME_S
    assert sessions.platform_user(platform(cookie)) is None


async def test_signing_out_everywhere_ends_the_persons_sessions_and_no_others(host: SmallHost) -> None:
    mine, also_mine, hers = [await host.sessions.begin(user) for user in (host.ada, host.ada, host.eve)]
    await host.sessions.end_all(host.ada)
    assert [host.sessions.platform_user(platform(cookie)) for cookie in (mine, also_mine, hers)] == [
        None,
        None,
        host.eve,
    ]


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/19.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 "
         "Safari/605.1.15", "Safari on macOS"),
        ("", "A browser"),
        ("<script>alert(1)</script>", "A browser"),
    ],
)  # fmt: skip
def test_a_browser_is_called_by_what_its_person_knows(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device


async def test_signing_out_works_at_once_in_every_process(host: SmallHost) -> None:
    cookie = await host.sessions.begin(host.ada)
    elsewhere = Sessions(host.db, session_key(), issuer=ISSUER)
    assert elsewhere.platform_user(platform(cookie)) == host.ada
    await host.sessions.end(platform(cookie))
    assert host.sessions.platform_user(platform(cookie)) is None
    assert elsewhere.platform_user(platform(cookie)) is None


async def test_expired_sessions_are_swept(host: SmallHost) -> None:
    clock = FakeClock()
    sessions = Sessions(host.db, session_key(), issuer=ISSUER, clock=clock)
    await sessions.begin(host.ada)
    clock.now += SESSION_LIFETIME_S
    await sessions.begin(host.ada)
    assert len(host.db.all("SELECT id FROM sessions")) == 1


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_forged_cookies_prove_nothing(host: SmallHost) -> None:
    genuine = await host.sessions.begin(host.ada)
    head, claims, signature = genuine.split(".")
    contents = jwt.decode(genuine, session_key()).claims
    public = session_key().as_pem(private=False)
    hs256 = f"{part({'alg': 'HS256'})}.{claims}"
    other = RSAKey.generate_key(2048)
    forged = [
        "",
        "x",
        "a.b.c",
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        f"{part({'alg': 'none'})}.{claims}.",
        jwt.encode({"alg": "RS256"}, contents, other),
        jwt.encode({"alg": "RS384"}, contents, session_key(), algorithms=["RS384"]),
        # The public key as an HMAC secret, the classic of confused algorithms.
        f"{hs256}.{urlsafe_b64encode(hmac.digest(public, hs256.encode(), 'sha256')).rstrip(b'=').decode()}",
        jwt.encode({"alg": "RS256"}, {**contents, "iss": "https://evil.test"}, session_key()),
        jwt.encode({"alg": "RS256"}, {**contents, "jti": ["s_1"]}, session_key()),
        "\udcff",
        genuine * 50,
    ]
    for cookie in forged:
        headers = [(b"cookie", f"{PLATFORM_COOKIE}={cookie}".encode("utf-8", "surrogateescape"))]
        assert host.sessions.platform_user(headers) is None, cookie


async def test_tossed_duplicates_sign_nobody_in_or_out(host: SmallHost) -> None:
    mine = await host.sessions.begin(host.ada)
    hers = await host.sessions.begin(host.eve)
    for junk in ("", "x", "a.b.c"):
        assert host.sessions.platform_user(platform(mine, junk)) == host.ada
        assert host.sessions.platform_user(platform(junk, mine)) == host.ada
    # Two genuine ones: nobody can tell which was tossed, so neither counts, in either order.
    assert host.sessions.platform_user(platform(mine, hers)) is None
    assert host.sessions.platform_user(platform(hers, mine)) is None
    # Names that only look alike are other cookies.
    for name in ("robot_session", "__host-robot_session", "__Secure-robot_session", f" {PLATFORM_COOKIE}x"):
        assert host.sessions.platform_user(cookies((name, hers))) is None
        assert host.sessions.platform_user(cookies((name, hers), (PLATFORM_COOKIE, mine))) == host.ada


async def test_a_tossed_wiki_cookie_has_no_effect(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    mine, hers = [await wiki_cookie(host, user) for user in (host.ada, host.eve)]

    def seen(*values: str) -> User | None:
        return host.sessions.wiki_user(cookies(*((WIKI_COOKIE, value) for value in values)), wiki)

    assert seen(mine) == host.ada
    assert seen(mine, "junk") == seen("junk", mine) == host.ada
    assert seen(mine, hers) is None
    assert seen(hers, mine) is None
    assert seen("junk") is None


async def wiki_cookie(host: SmallHost, user: User, slug: str = "notes") -> str:
    wiki = find_wiki_by_slug(host.db, slug) or await host.make_wiki(slug)
    session = host.sessions.platform_session(platform(await host.sessions.begin(user)))
    assert session is not None
    code = await issue_code(host.db, session, wiki, challenge_of("n" * 43), "/Home")
    arrival = await take_code(host.db, code, wiki, ["n" * 43])
    assert arrival is not None
    assert arrival.return_path == "/Home"
    return arrival.cookie


async def test_a_wiki_cookie_is_good_for_that_wiki_only(host: SmallHost) -> None:
    cookie = await wiki_cookie(host, host.ada)
    other = await host.make_wiki("other")
    assert host.sessions.wiki_user(cookies((WIKI_COOKIE, cookie)), other) is None


async def test_a_hand_off_code_is_bound_to_wiki_browser_time_and_one_use(host: SmallHost) -> None:
    wiki, other, clock = await host.make_wiki("notes"), await host.make_wiki("other"), FakeClock()
    sessions = Sessions(host.db, session_key(), issuer=ISSUER, clock=clock)
    session = sessions.platform_session(platform(await sessions.begin(host.ada)))
    assert session is not None
    nonce = nonce_to_use([])

    async def fresh() -> str:
        return await issue_code(host.db, session, wiki, challenge_of(nonce), "/", clock=clock)

    code = await fresh()
    assert await take_code(host.db, code, wiki, [nonce], clock=clock) is not None
    assert await take_code(host.db, code, wiki, [nonce], clock=clock) is None  # used
    for at, nonces in ((other, [nonce]), (wiki, [nonce_to_use([])]), (wiki, [])):
        code = await fresh()
        assert await take_code(host.db, code, at, nonces, clock=clock) is None
        assert await take_code(host.db, code, wiki, [nonce], clock=clock) is None  # burnt
    code = await fresh()
    clock.now += 60
    assert await take_code(host.db, code, wiki, [nonce], clock=clock) is None
    code = await fresh()
    await sessions.end(platform(await sessions.begin(host.eve)))
    await host.db.write(lambda connection: connection.execute("DELETE FROM sessions"))
    assert await take_code(host.db, code, wiki, [nonce], clock=clock) is None  # signed out meanwhile


def test_two_tabs_share_a_nonce_and_odd_ones_are_replaced() -> None:
    nonce = nonce_to_use([])
    assert nonce_to_use([nonce]) == nonce
    assert nonce_to_use(["short", nonce]) == nonce
    assert nonce_to_use([nonce, "b" * 43]) not in (nonce, "b" * 43)
    assert nonce_to_use(["x" * 44]) != "x" * 44


async def test_a_link_signs_in_once_and_soon(host: SmallHost) -> None:
    clock = FakeClock()
    link = await create_link(host.db, host.ada, clock=clock)
    assert person_of_link(host.db, link, clock=clock) == host.ada
    assert await redeem_link(host.db, link, clock=clock) == host.ada
    assert await redeem_link(host.db, link, clock=clock) is None
    assert person_of_link(host.db, link, clock=clock) is None
    late = await create_link(host.db, host.ada, clock=clock)
    clock.now += LINK_LIFETIME_S
    assert await redeem_link(host.db, late, clock=clock) is None
    assert await redeem_link(host.db, "", clock=clock) is None


def paths_of_this_host() -> list[str]:
    return [
        "/", "/Home", "/a/b?c=d&e=/f#g", "/On%20Call", "/St%C3%A4dte", "/100%25", "/a//b", "/?next=https://x", "/a:b@c",
    ]  # fmt: skip


@pytest.mark.parametrize("path", paths_of_this_host())
def test_paths_of_this_host_are_kept(path: str) -> None:
    assert safe_return(path) == path


def everything_else() -> list[str | None]:
    return [
        None, "", "Home", "//evil.test", "///evil.test", "/\\evil.test", "\\/evil.test", "\\\\evil.test",
        "/%5cevil.test", "/%5Cevil.test", "/%2fevil.test", "/%2Fevil.test", "https:evil.test", "https://evil.test",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=y", "/a%0d%0aSet-Cookie:x", "/a\tb", "/\t/evil.test", "/%09/evil.test", " /a", "/a b",
        "/%00", "/ä", '/"', "/<", "/" + "a" * 8000, "@evil.test", "/\u2028", "http:///evil.test",
    ]  # fmt: skip


@pytest.mark.parametrize("path", everything_else())
def test_everything_else_is_refused(path: str | None) -> None:
    assert safe_return(path, "/fallback") == "/fallback"


def test_cookies_are_read_in_all_their_spellings() -> None:
    headers = [(b"Cookie", b"a=1; b=2;a=3 ;a=1"), (b"cookie", b"  a=4=5;a; ;=9;A=6"), (b"x", b"a=7")]
    assert cookie_values(headers, "a") == ["1", "3", "4=5"]
    assert cookie_values([(b"cookie", b"; ".join(b"a=%d" % i for i in range(50)))], "a") == ["0", "1", "2", "3"]
    assert cookie_values([(b"cookie", b"a=\xff")], "a") == ["ÿ"]


def test_cookies_are_host_only() -> None:
    expected = "__Host-robot_session=v; Path=/; Max-Age=5; Secure; HttpOnly; SameSite=Lax"
    assert set_cookie(PLATFORM_COOKIE, "v", max_age_s=5) == expected


def test_the_key_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    first = load_session_key(tmp_path / "keys")
    assert load_session_key(tmp_path / "keys").as_pem() == first.as_pem()
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["session.pem"]
    assert (tmp_path / "keys" / "session.pem").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from robot.signin.keys import load_session_key\n"
        "sys.stdout.buffer.write(load_session_key(Path(sys.argv[1])).as_pem(private=False))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "keys")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    assert len({process.communicate(timeout=60)[0] for process in running}) == 1


@pytest.mark.parametrize("damage", [lambda pem: b"", lambda pem: pem[:100], lambda pem: b"\xff\x00junk"])
def test_a_damaged_key_says_what_to_do(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "session.pem"
    path.write_bytes(damage(session_key().as_pem(private=True)))
    with pytest.raises(KeyUnreadable, match=r"session\.pem is not an RSA key; remove it"):
        load_session_key(tmp_path)
