"""The router against the readers that come after it: waitress and werkzeug in a worker, Hypercorn's decoding here."""

from __future__ import annotations

import itertools
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from proxy.router import Route, classify

PROTECTED = {Route.MCP, Route.WELL_KNOWN, Route.API, Route.GIT, Route.AUTH, Route.HEALTH}

# What a worker would do with a path if it reached it: our prefixes as a worker's routes, and pages for all else.
WORKER = Map(
    [
        Rule("/healthz", endpoint=Route.HEALTH),
        Rule("/readyz", endpoint=Route.HEALTH),
        Rule("/metrics", endpoint=Route.HEALTH),
        Rule("/mcp", endpoint=Route.MCP),
        Rule("/mcp/", endpoint=Route.MCP),
        *(
            Rule(rule, endpoint=route)
            for prefix, route in (
                ("/.well-known", Route.WELL_KNOWN),
                ("/api/v1", Route.API),
                ("/.git", Route.GIT),
                ("/auth", Route.AUTH),
                ("/-/robot", Route.REFUSED),
            )
            for rule in (prefix, f"{prefix}/", f"{prefix}/<path:rest>")
        ),
        Rule("/", endpoint=Route.OTHER),
        Rule("/<path:page>", endpoint=Route.OTHER),
    ]
)


def path_at_worker(raw_path: bytes) -> str:
    """PATH_INFO as waitress computes it (waitress.task.WSGITask.get_environment), decoded as werkzeug does."""
    parser = HTTPRequestParser(Adjustments())
    parser.received(b"GET " + raw_path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    path: str = parser.path
    if path.startswith("/"):
        path = "/" + path.lstrip("/")
    return path.encode("latin-1").decode(errors="replace")


def route_at_worker(raw_path: bytes) -> object:
    adapter = WORKER.bind("a")
    try:
        return adapter.match(path_at_worker(raw_path))[0]
    except HTTPException:
        return None


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", Route.OTHER),
        ("/healthz", Route.HEALTH),
        ("/readyz", Route.HEALTH),
        ("/metrics", Route.HEALTH),
        ("/metrics/january", Route.OTHER),
        ("/healthz/x", Route.OTHER),
        ("/mcp", Route.MCP),
        ("/mcp/", Route.MCP),
        ("/mcp/x", Route.OTHER),
        ("/mcpx", Route.OTHER),
        ("/MCP", Route.OTHER),
        ("/.well-known/oauth-protected-resource/mcp", Route.WELL_KNOWN),
        ("/api/v1/pages", Route.API),
        ("/api/v1", Route.API),
        ("/api/v1/pages/A%2FB%20C", Route.API),
        ("/api/v10", Route.OTHER),
        ("/api/wikis", Route.OTHER),
        ("/API/v1/pages", Route.OTHER),
        ("/.git/info/refs", Route.GIT),
        ("/.gitignore", Route.OTHER),
        ("/auth/enter", Route.AUTH),
        ("/author", Route.OTHER),
        ("/-/search", Route.OTHER),
        ("/-/robotics", Route.OTHER),
    ],
)
def test_doors(path: str, route: Route) -> None:
    assert classify(path.encode()) is route


@pytest.mark.parametrize(
    "path",
    [
        "/On%20Call",
        "/On_Call/",
        "/100%25",
        "/100%2525",
        "/What%3F",
        "/C%23",
        "/Caf%C3%A9",
        "/%F0%9F%A6%A6",
        "/Ops%2FOn%20Call",
        "/Ops/On-Call/history",
        "/a;b",
        "/a&b=c+d,e:f@g!$'()*",
        "/...",
        "/a..b/.c",
        "/50%",
        "/mcp%20notes",
        "/%5Bbracket%5D",
    ],
)
def test_legal_page_names_pass(path: str) -> None:
    assert classify(path.encode()) is Route.OTHER


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "mcp",
        "http://a/mcp",
        "a:443",
        "//mcp",
        "/%2fmcp",
        "/a//b",
        "/a%2f/b",
        "/./mcp",
        "/a/../mcp",
        "/a/%2e%2e/mcp",
        "/a/%2E./.git/config",
        "/..",
        "/a/..;/.git/config",
        "/..;x=1/mcp",
        "/.git;x/config",
        "/mcp;x",
        "/%6dcp",
        "/mcp%2f",
        "/api%2fv1/pages",
        "/%2egit/config",
        "/.git%2fconfig",
        "/.GIT/config",
        "/Notes/.git/config",
        "/auth%2Fenter",
        "/%61uth/enter",
        "/a\\b",
        "/a%5c..%5cmcp",
        "/a%00",
        "/a%0d%0aX:y",
        "/a%7f",
        "/a%c0%ae%c0%ae/",
        "/a%ff",
        "/a b",
        "/a\x80",
        "/a#b",
        "/a?b",
        "/-/robot/probe",
        "/-%2frobot/probe",
        "/%2d/robot/probe",
        "/-/robot;/probe",
    ],
)
def test_what_two_readers_may_see_differently_is_refused(path: str) -> None:
    assert classify(path.encode("latin-1")) is Route.REFUSED


_PIECES = [
    *("", ".", "..", "a", "mcp", "MCP", ".git", ".GIT", "api", "v1", "auth", "-", "robot", ".well-known", "healthz"),
    *(
        "%2e",
        "%2e%2e",
        "%2E.",
        "m%63p",
        "%2egit",
        "%61pi",
        "%2d",
        "..;",
        "mcp;a=b",
        "%252e%252e",
        "%00",
        "%5c",
        "a%3bb",
    ),
]
_JOINTS = ["/", "//", "%2f", "%2F", "\\", "%5c", "/./", ";/", "%252f"]


def _agrees_with_the_readers(raw_path: bytes) -> None:
    route = classify(raw_path)
    if route is Route.REFUSED:
        return
    assert route_at_worker(raw_path) is route
    if route in PROTECTED:
        # The handlers here see the path decoded by Hypercorn; the door is where it says.
        assert classify(quote(unquote(raw_path.decode()), safe="/").encode()) is route
        assert ".." not in unquote(raw_path.decode()).split("/")


def test_every_short_path_goes_where_the_worker_would_see_it() -> None:
    for first, joint, second in itertools.product(_PIECES, _JOINTS, _PIECES):
        _agrees_with_the_readers(f"/{first}{joint}{second}".encode())


@settings(max_examples=500)
@given(st.lists(st.tuples(st.sampled_from(_PIECES), st.sampled_from(_JOINTS)), min_size=1, max_size=5))
def test_every_path_goes_where_the_worker_would_see_it(pieces: list[tuple[str, str]]) -> None:
    _agrees_with_the_readers(("/" + "".join(piece + joint for piece, joint in pieces)).encode())


@given(st.lists(st.text(st.characters(exclude_categories=["C"], exclude_characters="/\\"), min_size=1), min_size=1))
def test_a_page_name_as_browsers_write_it_reaches_the_worker_or_is_reserved(names: list[str]) -> None:
    path = "/" + "/".join(quote(name) for name in names)
    route = classify(path.encode())
    if route is Route.OTHER:
        assert path_at_worker(path.encode()) == "/" + "/".join(names)
    elif route is Route.REFUSED:
        assert any(name.split(";")[0].lower() in {"", ".", "..", ".git", "mcp", "auth", "api", "-"} for name in names)
