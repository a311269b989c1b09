"""The form of a save by somebody who is signed out comes back; anything else is refused as ever."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
import trio
import trio.testing

from robot import kept_save
from robot.kept_save import is_save, kept_save_page

FORM = [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]


def scope_of(method: str = "POST", path: str = "/Plan/save", headers: Any = FORM) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (scope_of(), True),
        (scope_of(method="GET"), False),
        (scope_of(path="/Plan/draft"), False),
        (scope_of(headers=[]), False),
        (scope_of(headers=FORM * 2), False),
        (scope_of(headers=[(b"content-type", b"multipart/form-data; boundary=x")]), False),
    ],
)
def test_what_is_a_save(scope: dict[str, Any], expected: bool) -> None:
    assert is_save(scope) is expected


async def page_for(*parts: bytes, ends: bool = True) -> str | None:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False} if ends else {"type": "http.disconnect"})
    left = iter(messages)

    async def receive() -> Any:
        await trio.lowlevel.checkpoint()
        return next(left)

    page = await kept_save_page(scope_of(), receive)
    return None if page is None else page.decode()


async def test_the_form_comes_back_escaped() -> None:
    form = {"content": '\n<b>"two"\nlines</textarea>', "commit": 'Say "hi"', "robot_base": "'>", "unasked": "x"}
    body = urlencode(form).encode()
    page = await page_for(body[:10], body[10:])
    assert page is not None
    assert "\n\n&lt;b&gt;&#34;two&#34;\nlines&lt;/textarea&gt;</textarea>" in page
    assert 'name="robot_base" value="&#39;&gt;"' in page
    assert 'value="Say &#34;hi&#34;"' in page
    assert 'action="/Plan/save"' in page
    assert "unasked" not in page


@pytest.mark.parametrize(
    "body",
    [b"commit=x", b"content=\xff", b"&".join(b"content=x" for _ in range(30)), b""],
    ids=["", "bytes", "many", "none"],
)
async def test_what_is_not_the_editors_form_is_not_kept(body: bytes) -> None:
    assert await page_for(body) is None


async def test_what_is_held_for_strangers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_save, "MAX_BYTES", 100)
    assert await page_for(b"content=", b"x" * 100) is None
    assert await page_for(b"content=x", ends=False) is None
    waiting = trio.Event()

    async def never() -> Any:
        waiting.set()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for _ in range(kept_save.MAX_AT_ONCE):
            nursery.start_soon(kept_save_page, scope_of(), never)
        await waiting.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert await page_for(b"content=x") is None
        nursery.cancel_scope.cancel()
    assert await page_for(b"content=x") is not None
