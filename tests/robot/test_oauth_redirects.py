"""Where a client's answers may go: which addresses it may register, and which one it may then name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.oauth.redirects import RedirectRefused, check_redirect, is_loopback, same_redirect

REAL = """
https://claude.ai/api/mcp/auth_callback
https://claude.com/api/mcp/auth_callback
https://chatgpt.com/connector_platform_oauth_redirect
https://vscode.dev/redirect
https://client.example:8443/cb?from=wiki
http://127.0.0.1:33418/
http://127.0.0.1
http://localhost:6274/oauth/callback
http://localhost/callback
http://[::1]:9000/cb
cursor://anysphere.cursor-retrieval/oauth/user-mcp/callback
vscode://dynamicauthprovider/redirect
com.example.app:/callback
org.example-2.app://callback/x
"""


@pytest.mark.parametrize("uri", REAL.split())
def test_addresses_of_real_clients(uri: str) -> None:
    assert check_redirect(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "x",
        "//client.example/cb",
        "/cb",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "javascript://client.example/%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://client.example/x",
        "about:blank",
        "view-source:https://client.example/",
        "ms-msdt:/id",
        "search-ms:query=x",
        "intent://scan/#Intent;end",
        "mailto:a@b.example",
        "ws://client.example/",
        "ftp://client.example/",
        "http://evil",
        "http://evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "http://127.0.0.1:80@evil.example/",
        "http://evil.example@127.0.0.1/",
        "http://127.0.0.2/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://127.1/",
        "http://LOCALHOST/",
        "http:/127.0.0.1/",
        "https:client.example",
        "https:///cb",
        "https://user@client.example/cb",
        "https://user:secret@client.example/cb",
        "https://client.example/cb#",
        "https://client.example/cb#x",
        "https://client.example/a b",
        "https://client.example/\r\nSet-Cookie: x",
        "https://client.example\\@evil.example/",
        "https://client.example/\u202e",
        "https://clïent.example/",
        "https://client.example%2eevil.example/",
        "https://client.example%2f.evil.example/",
        "https://client.example;evil.example/",
        "https://client.example:99999/",
        "https://client.example:0/",
        "https://[::1/",
        'https://client.example/"x',
        "https://client.example/<x>",
        "https://client.example/" + "a" * 1_000,
    ],
)
def test_addresses_that_nobody_may_register(uri: str) -> None:
    with pytest.raises(RedirectRefused, match=r"[a-z]\.$|'\.$|address|scheme|fragment"):
        check_redirect(uri)


@pytest.mark.parametrize(
    ("registered", "asked", "same"),
    [
        ("https://client.example/cb", "https://client.example/cb", True),
        ("https://client.example/cb", "https://client.example/cb/", False),
        ("https://client.example/cb", "https://client.example/cB", False),
        ("https://client.example/cb", "https://client.example/cb?x", False),
        ("https://client.example/cb", "https://client.example:443/cb", False),
        ("https://client.example/cb", "http://client.example/cb", False),
        ("https://client.example/cb", "https://CLIENT.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51234/cb", True),
        ("http://127.0.0.1:3000/cb", "http://127.0.0.1:51234/cb", True),
        ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]:1/cb", "http://[::1]:2/cb", True),
        ("http://localhost:1/cb?a=b", "http://localhost:2/cb?a=b", True),
        ("http://localhost:1/cb?a=b", "http://localhost:2/cb?a=c", False),
        ("http://localhost:1/cb", "http://127.0.0.1:1/cb", False),
        ("http://localhost:1/cb", "http://localhost:2/cb2", False),
        ("http://localhost:1/cb", "http://localhost:2@evil.example/cb", False),
        ("http://localhost:1/cb", "http://localhost:/cb", False),
        ("http://localhost:1/cb", "https://localhost:2/cb", False),
        ("cursor://a/cb", "cursor://a:1/cb", False),
    ],
)
def test_which_address_may_be_named(registered: str, asked: str, same: bool) -> None:
    assert same_redirect(registered, asked) is same


ADDRESSES = st.one_of(
    st.sampled_from(REAL.split()),
    st.from_regex(r"http://(127\.0\.0\.1|\[::1\]|localhost|evil)(:[0-9]{1,6})?[/?@#\\a-z:.]{0,8}", fullmatch=True),
)


@given(ADDRESSES, ADDRESSES)
def test_two_addresses_are_the_same_only_if_they_differ_in_the_port_of_loopback_or_not_at_all(a: str, b: str) -> None:
    def without_port(uri: str) -> str:
        return re.sub(r"^(http://[^/?@:]*(?:\[::1\])?):[0-9]+(?=$|[/?])", r"\1", uri)

    assert same_redirect(a, b) is same_redirect(b, a)
    if same_redirect(a, b):
        assert a == b or (is_loopback(a) and is_loopback(b) and without_port(a) == without_port(b))
