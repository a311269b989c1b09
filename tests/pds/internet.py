"""A small internet on loopback: a real PDS, a real PLC directory and whoever else a test adds; all https, no port.

One listener stands for every host. What asks keeps its addresses (`https://pds.example.net/`); only where a connection
goes is changed: `MappedDoor` for robot, `MappedTransport` for a test's own requests, `chromium_rules` for a browser.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import trustme

from robot.fetch import Door, IpAddress, Pinned, Resolve
from robot.signin.atproto.handles import HandlePolicy
from robot.signin.atproto.identity import Identities
from tests.judges.toolchain import node
from tests.robot.fake_dns import FakeDns

HERE = Path(__file__).parent
PDS = "pds.example.net"
PLC = "plc.directory"
PLATFORM = "app.robot-ci.dev"
"""The PDS takes no client of a host whose name is kept for tests."""
HANDLES = tuple(
    f"{name}.test"
    for name in ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "mallory", "nobody")
)
LOOPBACK = "127.0.0.1"
READY_S = 60.0
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the PDS. `access` is what its own programs send, to change the account."""

    handle: str
    did: str
    password: str
    access: str


@dataclass(frozen=True, slots=True)
class Authority:
    """Who vouches for the hosts of this internet: its certificate, and one of all hosts with its key."""

    ca_file: Path
    leaf_file: Path

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


async def _to_loopback(host: str, port: int) -> Sequence[str]:
    return [LOOPBACK]


def _is_loopback(address: IpAddress) -> bool:
    return address.is_loopback


@dataclass(frozen=True)
class MappedDoor(Door):
    """robot's door, on which every host is the listener at `front_port`."""

    resolve: Resolve = _to_loopback
    allows: Callable[[IpAddress], bool] = _is_loopback
    front_port: int = 443

    async def pin(self, url: str) -> Pinned:
        return replace(await super().pin(url), port=self.front_port)


class MappedTransport(httpx2.AsyncHTTPTransport):
    """Sends each request to the listener, under the name that it was addressed to."""

    def __init__(self, front_port: int, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust)
        self._front_port = front_port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await super().handle_async_request(mapped(request, self._front_port))


def mapped(request: httpx2.Request, front_port: int) -> httpx2.Request:
    """The same request to the listener; its Host header and the name in TLS stay."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=LOOPBACK, port=front_port),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


@dataclass(frozen=True)
class Internet:
    """A running one, with accounts at its PDS. Everything here waits, so call it from a thread where a loop runs."""

    process: subprocess.Popen[str]
    front_port: int
    authority: Authority
    accounts: dict[str, Account]

    @property
    def alice(self) -> Account:
        return self.accounts["alice.test"]

    @property
    def bob(self) -> Account:
        return self.accounts["bob.test"]

    @property
    def door(self) -> MappedDoor:
        return MappedDoor(ca_file=self.authority.ca_file, front_port=self.front_port)

    @property
    def transport(self) -> MappedTransport:
        return MappedTransport(self.front_port, self.authority.trust)

    @property
    def identities(self) -> Identities:
        """Finds the accounts here; a handle is what its host says, since no name server knows of it."""
        return Identities(self.door, FakeDns(), policy=HandlePolicy(tests_too=True))

    @property
    def chromium_rules(self) -> str:
        """The argument with which Chromium finds every host here; it must also ignore errors of certificates."""
        return f"--host-resolver-rules=MAP *:443 {LOOPBACK}:{self.front_port}"

    def robot_environment(self) -> dict[str, str]:
        """What a robot that is run as `tests.pds.robot_of_test` needs to be at https://PLATFORM in this internet."""
        place = {"front_port": self.front_port, "ca_file": str(self.authority.ca_file)}
        return {
            "ROBOT_SCHEME": "https",
            "ROBOT_DOMAIN": PLATFORM,
            "ROBOT_BLUESKY": "true",
            "ROBOT_SIGN_UP": "open",
            "TEST_INTERNET": json.dumps(place),
        }

    @contextlib.contextmanager
    def serving(self, port: int, *hosts: str) -> Iterator[None]:
        """Until the block ends, a port of this machine answers (plain http) for these hosts.

        A host that begins with a dot is all that end so.
        """
        for host in hosts:
            self._do("route", host=host, port=port)
        try:
            yield
        finally:
            for host in hosts:
                self._do("unroute", host=host)

    def claim(self, did: str, handle: str) -> None:
        """Write into somebody's document that they are `handle`; their PDS knows nothing of it."""
        self._do("claim", did=did, handle=handle)

    def move(self, did: str, endpoint: str) -> None:
        """Write into somebody's document that their PDS is at another origin."""
        self._do("move", did=did, endpoint=endpoint)

    def create_account(self, handle: str) -> Account:
        """A new account at the PDS, in `accounts` too."""
        password = secrets.token_urlsafe(12)
        email = f"{secrets.token_hex(6)}@example.com"
        made = self.xrpc("com.atproto.server.createAccount", handle=handle, email=email, password=password)
        account = Account(handle, made["did"], password, made["accessJwt"])
        self.accounts[handle] = account
        return account

    def xrpc(self, method: str, account: Account | None = None, **body: Any) -> Any:
        """Call a procedure of the PDS, as an account's own program does."""
        headers = {} if account is None else {"Authorization": f"Bearer {account.access}"}
        request = httpx2.Request("POST", f"https://{PDS}/xrpc/{method}", json=body, headers=headers)
        with httpx2.Client(verify=self.authority.trust, timeout=30) as client:
            answer = client.send(mapped(request, self.front_port))
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    def _do(self, deed: str, **details: Any) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"deed": deed, **details}) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        assert said == {"done": deed}, said


def make_authority(place: Path) -> Authority:
    authority = trustme.CA()
    found = Authority(place / "authority.pem", place / "hosts.pem")
    authority.cert_pem.write_to_path(found.ca_file)
    leaf = authority.issue_cert(PDS, PLC, PLATFORM, f"*.{PLATFORM}", *HANDLES)
    leaf.private_key_and_cert_chain_pem.write_to_path(found.leaf_file)
    return found


@contextlib.contextmanager
def running_internet(place: Path, handles: Sequence[str] = ("alice.test", "bob.test")) -> Iterator[Internet]:
    """PDS and PLC directory until the block ends, with one account of each handle. Their log is in `place`."""
    assert (HERE / "node_modules").is_dir(), "the PDS is not installed: `make test-pds` installs and tests it"
    authority = make_authority(place)
    command = node(HERE / "start.mjs", str(place / "state"), str(authority.leaf_file), json.dumps(_HOSTS))
    with (place / "pds.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | {"NODE_EXTRA_CA_CERTS": str(authority.ca_file), "LOG_ENABLED": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the PDS did not start:\n{(place / 'pds.log').read_text('utf-8')}"
        internet = Internet(process, json.loads(line)["frontPort"], authority, {})
        for handle in handles:
            internet.create_account(handle)
        yield internet
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


_HOSTS: Mapping[str, str] = {"plc": PLC, "pds": PDS}
