"""Pages of ours on a wiki's host: they need nothing but themselves, and show a refused text to whoever typed it."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

Link = tuple[str, str]

SAVING: Final = "save"  # the endpoint to which the editor sends its text
SIGN_IN: Final = "/auth/start?next="  # of the front; a quoted path on this host follows
# In the colours of the platform's own pages, which bring a stylesheet that is not ours to send (`robot.css`).
_STYLE: Final = (
    ":root{color-scheme:light dark;--page:#fff;--surface:#f7f7f7;--line:#d5dbe1;--text:#1d2125;--quiet:#57606a;"
    "--link:#0b5cad;--fill:#1068c4;--field:#7f8a96;--add:#eaf7f0;--remove:#fdeeed}"
    "@media(prefers-color-scheme:dark){:root{--page:#25282c;--surface:#1c1f23;--line:#3b4148;--text:#e6e9ec;"
    "--quiet:#adb5bd;--link:#7cbcff;--fill:#1c74d1;--field:#818b96;--add:#1b2d25;--remove:#37211f}}"
    "*{box-sizing:border-box}"
    "body{display:grid;place-items:center;min-height:100vh;margin:0;padding:1.25rem;background:var(--surface);"
    "color:var(--text);overflow-wrap:anywhere;"
    "font:1rem/1.55 -apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    "main{width:100%;max-width:36rem;padding:2rem;background:var(--page);border:1px solid var(--line);"
    "border-top:4px solid var(--fill);border-radius:6px}body.wide{place-items:start center}"
    ".wide main{max-width:60rem}h1{margin:0 0 .5em;font-size:1.75rem;line-height:1.25}"
    ".brand{margin:0 0 1.5rem;color:var(--quiet);font-weight:650}"
    ".status{margin:0 0 .25rem;color:var(--quiet);font-weight:600;letter-spacing:.08em}"
    "a{color:var(--link);text-underline-offset:.15em}:focus-visible{outline:3px solid var(--link);outline-offset:2px}"
    "textarea,input[type=text]{width:100%;padding:.5rem;color:inherit;background:var(--page);"
    "border:1px solid var(--field);border-radius:4px;font:.9rem/1.4 ui-monospace,monospace}"
    "input[type=text]{font-family:inherit}label{display:block;font-weight:600;margin-top:1rem}"
    "button,.button{display:inline-block;font:inherit;font-weight:550;padding:.45rem 1rem;margin:1rem 1rem 0 0;"
    "border:1px solid transparent;border-radius:4px;background:var(--fill);color:#fff;text-decoration:none;"
    "cursor:pointer}.plain{background:none;color:var(--link);border-color:var(--field)}"
    "pre{white-space:pre-wrap;font:.9rem/1.4 ui-monospace,monospace}h2{margin-top:2.5rem;font-size:1.25rem}"
    ".quiet{color:var(--quiet);font-size:.9rem}"
    "ins,del{display:block;text-decoration:none}ins{background:var(--add)}del{background:var(--remove)}"
    "@media print{body{display:block;background:none}main{border:0;max-width:none}}"
)


def sign_in_url() -> str:
    """Where the front signs people in, with the way back to the page at hand."""
    return SIGN_IN + quote(here(), safe="")


def here() -> str:
    """The address of the page at hand, as the browser knows it."""
    query = request.query_string.decode("latin-1")
    return quote(request.path, safe="/") + (f"?{query}" if query else "")


def plain_page(status: int, title: str, sentence: str, *links: Link) -> Response:
    """A page that says one thing; where a save was refused, with the text that was to be saved.

    `links` go on from there (text, address), before those back to the wiki.
    """
    said = f'{_brand()}<p class="status">{status}</p><h1>{escape(title)}</h1><p>{escape(sentence)}</p>'
    return _page(status, title, f"{said}{_what_to_tell(status)}{_refused_text()}{_ways_on(links)}", "narrow")


def signpost(status: int, title: str, sentence: str, *links: Link) -> Response:
    """A page that says where something is done; `status` is for programs."""
    said = f"{_brand()}<h1>{escape(title)}</h1><p>{escape(sentence)}</p>"
    return _page(status, title, f"{said}{_ways_on(links)}", "narrow")


def page_with(status: int, title: str, content: str, *, wide: bool = False) -> Response:
    """A page with `content`, which is HTML."""
    return _page(status, title, f"<h1>{escape(title)}</h1>{content}", "wide" if wide else "narrow")


def _page(status: int, title: str, body: str, width: str) -> Response:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><body class={width}><main>{body}</main></body></html>"
    )
    return Response(page, status, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})


def text_to_copy(identifier: str, label: str, text: str) -> str:
    """A text as it was typed, to be looked at and copied."""
    rows = min(max(text.count("\n") + 2, 6), 18)
    # The first line break in a textarea is not part of its text (HTML, "the textarea element").
    box = f'<textarea id="{identifier}" readonly rows="{rows}" spellcheck="false">\n{escape(text)}</textarea>'
    return f'<label for="{identifier}">{escape(label)}</label>{box}'


def _refused_text() -> str:
    if request.endpoint != SAVING or request.method != "POST":
        return ""
    try:
        typed = request.form.get("content", "")
    except HTTPException:  # the form itself is what was refused
        return ""
    return text_to_copy("typed", "The text you wanted to save; copy it before you leave", typed) if typed else ""


def _brand() -> str:
    return f'<p class="brand">{escape(current_app.config["SITE_NAME"] or "")}</p>'


def _what_to_tell(status: int) -> str:
    """By what the operator finds a failure in the log."""
    request_id = request.headers.get("X-Request-Id", "")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR or not request_id:
        return ""
    return f'<p class="quiet">Should it stay so, tell the operator of this host: <code>{escape(request_id)}</code></p>'


def _ways_on(links: tuple[Link, ...]) -> str:
    platform = current_app.config["ROBOT_PLATFORM_URL"]
    ways = [*links, ("Back to the wiki", "/")]
    if platform and not links:
        ways.append(("This wiki on the platform", platform))
    shown = (
        f'<a class="{"button plain" if at else "button"}" href="{escape(address)}">{escape(text)}</a>'
        for at, (text, address) in enumerate(ways)
    )
    return f"<p>{''.join(shown)}</p>"
