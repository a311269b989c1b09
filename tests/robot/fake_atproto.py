"""A handle's host, a PLC directory, a server of data and an authorization server, in this process; each can misbehave.

They are as strict as the real ones, and stricter where the rules are: what the client does wrong is an AssertionError.
`bend` names what they do wrong themselves: "…:PATH" is about one address, anything else is looked for below.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from robot.clock import Clock

ALICE, BOB = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24
HANDLE = "alice.fake.dev"
PDS, SERVER, ELSEWHERE = "https://pds.fake.dev", "https://as.fake.dev", "https://evil.fake.dev"
PLC = "https://plc.directory"

RESOURCE_PATH = "/.well-known/oauth-protected-resource"
SERVER_PATH = "/.well-known/oauth-authorization-server"

KEYS_KEPT_S = 600
"""As long as the real server keeps a client's keys."""

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sends."""

    status: int = 200
    content_type: str = _JSON
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(said: object, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
    return Answer(status, _JSON, json.dumps(said).encode(), headers)


class FakeServers:
    """All of them. `read_client` gives the client's metadata and keys, as a server would fetch them."""

    def __init__(self, clock: Clock, read_client: Callable[[], tuple[Any, Any]], *bend: str) -> None:
        self.clock = clock
        self.bend = set(bend)
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.secrets: set[str] = set()
        self.hint: str | None = None
        self.grants: set[str] = set()
        self.when_asked: Callable[[str], None] = lambda _: None
        self._read_client = read_client
        self._kept: tuple[float, Any] | None = None
        self._nonce = "nonce-0"
        self._seen: set[str] = set()
        self._pushed: dict[str, _Pushed] = {}
        self._codes: dict[str, _Pushed] = {}

    # What is asked of them.

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self.asked.append(f"{method} {url}")
        self.when_asked(url)
        parts = urlsplit(url)
        bent = self._bent(parts.path)
        if bent is not None:
            return bent
        answer = self._answer(method, url, headers, body)
        # All is right but for the type: an answer that a person had put there, in a wiki or a forum.
        return replace(answer, content_type="text/html") if f"html:{parts.path}" in self.bend else answer

    def _answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        parts = urlsplit(url)
        if method == "POST":
            return self._authorization_server(parts.path, url, headers, body or b"")
        if parts.netloc == HANDLE and parts.path == "/.well-known/atproto-did":
            return Answer(200, "text/plain", ALICE.encode())
        if url.startswith(f"{PLC}/did:"):
            return self._directory(parts.path[1:])
        if url == PDS + RESOURCE_PATH:
            return self._resource()
        if url in (SERVER + SERVER_PATH, ELSEWHERE + SERVER_PATH):
            return self._server(url.removesuffix(SERVER_PATH))
        return Answer(404)

    def approve(self, address: str, **other: str) -> dict[str, str]:
        """Say yes in a browser that was sent to `address`: the query that it comes back with."""
        query = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{SERVER}/authorize?")
        # Nothing else travels in the address: it is in histories and logs.
        assert set(query) - {"tenant"} == {"client_id", "request_uri"}
        pushed = self._pushed.pop(query["request_uri"])
        code = secrets.token_hex(16)
        self._codes[code] = pushed
        self.secrets.add(code)
        return {"code": code, "state": pushed.form["state"], "iss": SERVER, **other}

    # Misbehaviour that every address is capable of.

    def _bent(self, path: str) -> Answer | None:
        for kind, answer in (
            ("redirect", Answer(302, headers={"location": f"{ELSEWHERE}{path}"})),
            ("inwards", Answer(302, headers={"location": "https://169.254.169.254/latest"})),
            ("huge", Answer(body=b'{"a": "' + b"a" * 100_000 + b'"}')),
            ("broken", Answer(body=b'{"issuer": ')),
            ("list", Answer(body=b"[]", headers={"dpop-nonce": "n"})),
            ("deep", Answer(body=b"[" * 50_000, headers={"dpop-nonce": "n"})),
            ("binary", Answer(body=b"\xff\xfe", headers={"dpop-nonce": "n"})),
            ("down", Answer(503)),
            ("missing", Answer(404)),
        ):
            if f"{kind}:{path}" in self.bend:
                return answer
        return None

    # Who somebody is.

    def _directory(self, did: str) -> Answer:
        if "plc-down-later" in self.bend and self._codes_were_used:
            return Answer(503)
        handle = "mallory.fake.dev" if "unclaimed" in self.bend or did == BOB else HANDLE
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": PDS}
        return as_json({"id": BOB if "other-document" in self.bend else did, "alsoKnownAs": [f"at://{handle}"],
                        "service": [service]})  # fmt: skip

    @property
    def _codes_were_used(self) -> bool:
        return bool(self.grants)

    # Who signs people in.

    def _resource(self) -> Answer:
        servers: Any = [SERVER]
        if "moved" in self.bend and self._codes_were_used:
            servers = [ELSEWHERE]
        for bent, instead in (
            ("no-server", []),
            ("two-servers", [SERVER, ELSEWHERE]),
            ("text-server", SERVER),
            ("number-server", [7]),
            ("http-server", ["http://as.fake.dev"]),
            ("path-server", [f"{SERVER}/x"]),
            ("slash-server", [f"{SERVER}/"]),
            ("port-server", ["https://as.fake.dev:8443"]),
            ("user-server", ["https://me@as.fake.dev"]),
            ("inner-server", ["https://10.0.0.1"]),
        ):
            if bent in self.bend:
                servers = instead
        said = {"resource": PDS, "authorization_servers": servers}
        if "other-resource" in self.bend:
            said["resource"] = ELSEWHERE
        if "no-resource" in self.bend:
            del said["resource"]
        return as_json(said)

    def _server(self, issuer: str) -> Answer:
        said: dict[str, Any] = {
            "issuer": ELSEWHERE if "other-issuer" in self.bend else issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "pushed_authorization_request_endpoint": f"{issuer}/par",
            "revocation_endpoint": f"{issuer}/revoke",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["atproto", "transition:generic"],
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": True,
            "require_pushed_authorization_requests": True,
            "client_id_metadata_document_supported": True,
        }
        if "serves-others" in self.bend:
            said["protected_resources"] = [ELSEWHERE]
        if "serves-us" in self.bend:
            said["protected_resources"] = [PDS]
        for bent in self.bend:
            kind, _, name = bent.partition("=")
            match kind:
                case "query":
                    said[name] += "?tenant=1"
                case "without":
                    del said[name]
                case "not":
                    said[name] = False if said[name] is True else ["other"]
                case "truthy":
                    said[name] = "true" if said[name] is True else said[name][0]
                case "elsewhere":
                    said[name] = f"{ELSEWHERE}/here"
                case "looks-like-it":
                    said[name] = f"{issuer}.fake.dev/here"
                case "as-user":
                    said[name] = f"{issuer}@evil.fake.dev/here"
                case "with-line-break":
                    said[name] = f"{issuer}/here\r\nSet-Cookie: a=b"
        return as_json(said)

    # Signing in.

    def _authorization_server(self, path: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode(), strict_parsing=True))
        self.secrets |= {form[name] for name in ("client_assertion", "code_verifier", "state", "token") if name in form}
        asking = self._check_proofs(url, headers, form)
        if isinstance(asking, Answer):
            return asking
        match path:
            case "/par":
                return self._push(form, asking)
            case "/token":
                return self._give(form, asking)
            case "/revoke":
                assert form["token"] in self.grants, "what is revoked was given"
                self.grants.remove(form["token"])
                self.grants.add("ended")
                return Answer(200, "", b"", self._headers())
        return Answer(404)

    def _check_proofs(self, url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> _Asking | Answer:
        """Who asks, or that the nonce is missing."""
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        said = json.loads(base64.urlsafe_b64decode(headers["DPoP"].split(".")[0] + "=="))
        assert (said["typ"], said["alg"], set(said["jwk"])) == ("dpop+jwt", "ES256", {"kty", "crv", "x", "y"})
        key = ECKey.import_key(said["jwk"])
        proof = jwt.decode(headers["DPoP"], key, algorithms=["ES256"]).claims
        assert (proof["htm"], proof["htu"]) == ("POST", url.partition("?")[0])
        assert abs(proof["iat"] - self.clock()) < 5
        self._once(proof["jti"])
        assertion = self._check_assertion(form)
        assert assertion != key.thumbprint(), "the key of a sign-in is not the client's"
        if proof.get("nonce") != self._nonce or "nonce-loop" in self.bend:
            self._nonce = f"nonce-{secrets.token_hex(4)}"
            return as_json({"error": "use_dpop_nonce"}, 400, self._headers())
        self._nonce = f"nonce-{secrets.token_hex(4)}"
        return _Asking(key.thumbprint(), assertion)

    def _check_assertion(self, form: Mapping[str, str]) -> str:
        """The id of the client's key."""
        metadata, _ = self._read_client()
        if self._kept is None or self._kept[0] + KEYS_KEPT_S <= self.clock():
            self._kept = (self.clock(), self._read_client()[1])
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        token = jwt.decode(form["client_assertion"], KeySet.import_key_set(self._kept[1]), algorithms=["ES256"])
        claims = token.claims
        assert claims["iss"] == claims["sub"] == form["client_id"] == metadata["client_id"]
        assert claims["aud"] == SERVER
        assert claims["exp"] - claims["iat"] <= 60
        assert abs(claims["iat"] - self.clock()) < 5
        self._once(claims["jti"])
        return str(token.header["kid"])

    def _once(self, jti: str) -> None:
        assert len(jti) >= 22
        assert jti not in self._seen, "a proof is used once"
        self._seen.add(jti)

    def _push(self, form: Mapping[str, str], asking: _Asking) -> Answer:
        metadata, _ = self._read_client()
        assert form["response_type"] in metadata["response_types"]
        assert form["redirect_uri"] in metadata["redirect_uris"]
        assert form["scope"] == metadata["scope"] == "atproto"
        assert form["code_challenge_method"] == "S256"
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", form["code_challenge"])
        assert len(form["state"]) >= 43
        assert "client_secret" not in form
        for anew in (form["code_challenge"], form["state"], asking.key):
            self._once(anew)
        for bent, instead in (
            ("no-reference", None),
            ("number-reference", 7),
            ("long-reference", "u" * 5_000),
            ("odd-reference", "\ud800"),
        ):
            if bent in self.bend:
                return as_json({} if instead is None else {"request_uri": instead}, 201, self._headers())
        for bent in self.bend:
            if bent.startswith("refuses="):
                return as_json({"error": bent.partition("=")[2]}, 400, self._headers())
            if bent == "echoes":
                return as_json({"error": form["state"], "error_description": form["client_assertion"]}, 400)
        self.hint = form.get("login_hint")
        reference = f"urn:ietf:params:oauth:request_uri:{secrets.token_hex(8)}"
        self._pushed[reference] = _Pushed(form, asking)
        return as_json({"request_uri": reference, "expires_in": 299}, 201, self._headers())

    def _give(self, form: Mapping[str, str], asking: _Asking) -> Answer:
        assert form["grant_type"] == "authorization_code"
        pushed = self._codes.pop(form["code"], None)
        if pushed is None:
            return as_json({"error": "invalid_grant"}, 400, self._headers())
        assert pushed.asking == asking, "the same keys as at the beginning"
        assert form["redirect_uri"] == pushed.form["redirect_uri"]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        assert challenge.decode() == pushed.form["code_challenge"]
        access, refresh = f"access-{secrets.token_hex(16)}", f"refresh-{secrets.token_hex(16)}"
        self.secrets |= {access, refresh}
        said: dict[str, Any] = {
            "access_token": access, "token_type": "DPoP", "expires_in": 3600, "scope": "atproto", "sub": ALICE
        }  # fmt: skip
        if "gives-refresh" in self.bend:
            said["refresh_token"] = refresh
        self.grants = {refresh if "gives-refresh" in self.bend else access}
        for bent, name, instead in (
            ("bearer", "token_type", "Bearer"),
            ("no-type", "token_type", None),
            ("other-scope", "scope", "transition:generic"),
            ("like-scope", "scope", "atproto2"),
            ("no-scope", "scope", None),
            ("other-sub", "sub", BOB),
            ("strange-sub", "sub", "did:example:7"),
            ("number-sub", "sub", 7),
            ("no-sub", "sub", None),
            ("no-access", "access_token", None),
            ("odd-access", "access_token", "\ud800"),
        ):
            if bent in self.bend:
                said[name] = instead
        return as_json({name: value for name, value in said.items() if value is not None}, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {} if "no-nonce" in self.bend else {"dpop-nonce": self._nonce}


@dataclass(frozen=True, slots=True)
class _Asking:
    """By their ids: the key of the sign-in, and the client's."""

    key: str
    client_key: str


@dataclass(frozen=True, slots=True)
class _Pushed:
    form: Mapping[str, str]
    asking: _Asking
