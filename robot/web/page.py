"""Rendering pages: one template environment, and the headers that every page carries."""

from __future__ import annotations

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from robot.amounts import file_size
from robot.web.statics import static_address

# Everything a page needs comes from its own host. `connect-src` is for the live check of a new wiki's address.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

# RFC 6797. Not for subdomains: each wiki's host says it for itself.
STRICT_TRANSPORT = "max-age=31536000"

# For pages on a client's way to a person: a client in a browser may wait, in the window that opened this one, for a
# page of its own to call back, and `same-origin` would cut the two apart for good.
OPENER_KEPT = {"Cross-Origin-Opener-Policy": "unsafe-none"}


def render(template: str, **context: object) -> str:
    """The page as HTML. Everything in `context` is escaped."""
    return _ENVIRONMENT.get_template(template).render(context)


def compile_templates() -> None:
    """Compile all templates, a tenth of a second, so that no request does it on the event loop."""
    for name in _ENVIRONMENT.list_templates(extensions=["html"]):
        _ENVIRONMENT.get_template(name)


def time_ago(then: datetime) -> str:
    """How long ago, for people: `just now`, `5 minutes ago`, `3 days ago`, and a date beyond a month."""
    seconds = (datetime.now(UTC) - then).total_seconds()
    if seconds < 60:
        return "just now"
    for unit, length_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length_s:
            count = int(seconds // length_s)
            return (
                f"{then:%d %b %Y}" if unit == "day" and count > 30 else f"{count} {unit}{'' if count == 1 else 's'} ago"
            )
    raise AssertionError("a minute or more is at least one minute")


def subject(message: str) -> str:
    """What a commit says in its first line, without the mark of a door that robot puts before it: doors have words."""
    return message.partition("\n")[0].removeprefix("[api] ").removeprefix("[mcp] ")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("robot.web"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static_address
    environment.filters["file_size"] = file_size
    environment.filters["time_ago"] = time_ago
    environment.filters["subject"] = subject
    return environment


_ENVIRONMENT = _environment()
