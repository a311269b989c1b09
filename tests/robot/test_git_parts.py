"""The pure parts of git's door, as tables: which request it is, what a push says, how a body is read."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from proxy.asgi import Message
from proxy.guard import BodyTooLarge
from robot.actors import Actors, BadCredential
from robot.credential_uses import CredentialUses
from robot.git.body import Body, BodyUnreadable, ClientLeft
from robot.git.endpoint import Call, parse_call
from robot.git.packets import ZERO, Command, Malformed, packet, parse_push, report
from robot.git.push import refusal_of
from robot.model import Agent, Anonymous, Scope
from robot.tokens import create_token
from tests.robot.small_host import SmallHost
from wikihost.transfer import Transfer

A, B = "a" * 40, "b" * 40
MAIN = "refs/heads/main"
VIEW = Transfer(Path("/nowhere"), MAIN, A)


def a_push(*commands: str, pack: bytes = b"PACK\0\0\0\x02\0\0\0\x07rest") -> bytes:
    first, *others = commands
    lines = [packet(f"{first}\0 report-status side-band-64k".encode()), *(packet(line.encode()) for line in others)]
    return b"".join(lines) + b"0000" + pack


@pytest.mark.parametrize(
    ("method", "path", "query", "call"),
    [
        ("GET", "/.git/info/refs", "service=git-upload-pack", Call("git-upload-pack", advertise=True)),
        ("GET", "/.git/info/refs", "service=git-receive-pack", Call("git-receive-pack", advertise=True)),
        ("POST", "/.git/git-upload-pack", "", Call("git-upload-pack", advertise=False)),
        ("POST", "/.git/git-receive-pack", "", Call("git-receive-pack", advertise=False)),
        ("GET", "/.git/info/refs", "", None),
        ("GET", "/.git/info%2Frefs", "service=git-upload-pack", None),
        ("GET", "/.git/info/refs", "service=upload-pack", None),
        ("POST", "/.git/info/refs", "service=git-upload-pack", None),
        ("GET", "/.git/git-upload-pack", "", None),
        ("GET", "/.git/config", "", None),
    ],
)
def test_which_request_it_is(method: str, path: str, query: str, call: Call | None) -> None:
    assert parse_call(method, path.encode(), query.encode()) == call


def test_a_push_is_read() -> None:
    request = a_push(f"{A} {B} {MAIN}", f"shallow {A}", f"{ZERO} {B} refs/tags/v1")
    head = parse_push(request)
    assert head.commands == [Command(A, B, MAIN), Command(ZERO, B, "refs/tags/v1")]
    assert head.capabilities == {"report-status", "side-band-64k"}
    assert request[head.length :].startswith(b"PACK")
    assert head.pack_objects == 7
    assert parse_push(b"0000").commands == []
    assert parse_push(a_push(f"{A} {ZERO} {MAIN}", pack=b"")).pack_objects is None


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"00",
        b"zzzz",
        b"0001",
        b"0004",
        b"ffff" + b"x" * 70_000,
        b"0040cut off",
        a_push("nonsense"),
        a_push(f"{A} {B} {MAIN}", f"{A} {ZERO} {MAIN}"),
        a_push(f"{A} {B} {MAIN}", pack=b"JUNKJUNKJUNK"),
        a_push(f"{A} {B} {MAIN}", pack=b"PACK"),
        a_push(*(f"{A} {B} refs/heads/{number}" for number in range(101))),
        b"".join(packet(f"shallow {A}".encode()) for _ in range(2000)) + b"0000",
    ],
)
def test_what_git_never_sends_is_malformed(request_: bytes) -> None:
    with pytest.raises(Malformed):
        parse_push(request_)


def test_a_report_says_each_ref_in_one_line() -> None:
    head = parse_push(a_push(f"{A} {B} {MAIN}", f"{A} {B} refs/heads/x"))
    told = report(head, [None, "because\nof 0000 this"])
    lines = packet(b"unpack ok\n") + packet(b"ok refs/heads/main\n") + packet(b"ng refs/heads/x because of 0000 this\n")
    assert told == packet(b"\x01" + lines + b"0000") + b"0000"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command(A, B, MAIN), None),
        (Command(A, B, "refs/heads/other"), "branch main only"),
        (Command(A, B, "refs/heads/main "), "branch main only"),
        (Command(A, ZERO, MAIN), "deleted"),
        (Command(B, A, MAIN), "meanwhile"),
        (Command(ZERO, B, MAIN), "meanwhile"),
    ],
)
def test_what_a_command_alone_tells(command: Command, words: str | None) -> None:
    refusal = refusal_of(command, VIEW)
    assert refusal is None if words is None else words in (refusal or "")


async def read_body(
    *pieces: bytes, encoding: bytes | None = None, max_bytes: int = 1000, leaves: bool = False
) -> bytes:
    messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""})

    async def receive() -> Message:
        return messages.pop(0)

    body = Body(receive, [] if encoding is None else [(b"content-encoding", encoding)], max_bytes=max_bytes)
    whole = b""
    while piece := await body.read():
        whole += piece
    return whole


async def test_a_body_plain_or_zipped_in_any_pieces() -> None:
    text = bytes(range(256)) * 3
    zipped = gzip.compress(text)
    assert await read_body(text[:100], b"", text[100:]) == text
    assert await read_body(*(zipped[at : at + 1] for at in range(len(zipped))), encoding=b"gzip") == text
    assert await read_body(zipped, b"after the end", encoding=b"x-gzip") == text


async def test_a_body_that_cannot_be_read() -> None:
    zipped = gzip.compress(b"text")
    for pieces, encoding in (((zipped[:-3],), b"gzip"), ((b"text",), b"gzip"), ((b"text",), b"br")):
        with pytest.raises(BodyUnreadable):
            await read_body(*pieces, encoding=encoding)
    for bomb, named in ((gzip.compress(bytes(100_000)), b"gzip"), (bytes(2000), b"identity")):
        with pytest.raises(BodyTooLarge):
            await read_body(bomb, encoding=named)
    with pytest.raises(ClientLeft):
        await read_body(zipped[:9], encoding=b"gzip", leaves=True)


async def test_a_token_is_known_as_bearer_and_as_password(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "laptop", {Scope.WRITE})
    actors = Actors(host.db, host.sessions, CredentialUses(host.db))

    def basic(text: str) -> bytes:
        return b"Basic " + base64.b64encode(text.encode())

    assert isinstance(actors.of_git([], wiki), Anonymous)
    assert isinstance(actors.of_git([(b"cookie", b"session=x")], wiki), Anonymous)
    for good in (
        f"Bearer {secret}".encode(),
        basic(f"anyone:{secret}"),
        basic(f":{secret}"),
        b"b" + basic(f":{secret}")[1:],
    ):
        assert isinstance(actors.of_git([(b"authorization", good)], wiki), Agent)
    for bad in (basic(secret), basic(f"{secret}:"), basic(f"a:{secret}x"), b"Basic ???", b"Basic", b"Digest x", b""):
        assert isinstance(actors.of_git([(b"authorization", bad)], wiki), BadCredential)
    twice = [(b"authorization", basic(f":{secret}"))] * 2
    assert isinstance(actors.of_git(twice, wiki), BadCredential)
    # Other doors take no password: a browser sends one by itself.
    assert isinstance(actors.of_caller([(b"authorization", basic(f":{secret}"))], wiki), BadCredential)
