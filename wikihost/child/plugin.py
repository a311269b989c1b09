"""What robot adds to Otter Wiki's pages: ways back to the platform, and plain pages where it refuses.

Registered with Otter Wiki's plugin manager by the zygote, so an Otter Wiki elsewhere in the environment never
sees it.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final
from urllib.parse import quote

from flask import Response, current_app, g, redirect, request
from flask_login import current_user
from otterwiki.plugins import hookimpl

from wikihost.child import menu
from wikihost.child.failing import is_frozen, show_refusal
from wikihost.child.plain import SAVING, SIGN_IN, here, sign_in_url
from wikihost.child.replaced import REPLACED, YOUR_NAME, show_replaced
from wikihost.child.saving import base_field
from wikihost.child.search_form import Asked
from wikihost.errors import FROZEN, ContentError, WikiFrozen

_SHOWING: Final = ("index", "view")
# A form, because signing out changes something; it looks like the links around it.
_SIGN_OUT: Final = (
    '<form method="post" action="/auth/logout"><button class="sidebar-link sidebar-link-with-icon" type="submit"'
    ' style="width:100%;border:0;background:none;font:inherit;text-align:left;cursor:pointer">'
    '<span class="sidebar-icon"><i class="fas fa-sign-out-alt" aria-hidden="true"></i></span>Sign out</button></form>'
)
_READ_ONLY: Final = f'<div class="sidebar-content" role="note">{escape(FROZEN)}</div>'
# Where Otter Wiki's menus link to what is blocked.
_HIDDEN_LINKS: Final = (
    "/-/admin/mail_preferences",
    "/-/admin/permissions_and_registration",
    "/-/admin/repository_management",
    "/-/admin/user_management",
)
_HIDE: Final = ",".join(f'a[href="{link}"]' for link in _HIDDEN_LINKS) + "{display:none!important}"
_STYLE: Final = f"<style>{_HIDE}{menu.STYLE}</style>"


class RobotPlugin:
    """Hooks of otterwiki.plugins.OtterWikiPluginSpec."""

    @hookimpl  # type: ignore[untyped-decorator]
    def template_html_head_inject(self, page: Any) -> str:
        return _STYLE

    @hookimpl  # type: ignore[untyped-decorator]
    def template_html_body_inject(self, page: Any) -> str:
        return base_field()

    @hookimpl  # type: ignore[untyped-decorator]
    def template_html_sidebar_left_inject(self, page: Any) -> str:
        return (_READ_ONLY if is_frozen() else "") + _similar_to(page) + _ways_on()


def install(app: Any) -> None:
    """Add refusals to the application; before its first request."""
    app.before_request(_refuse_blocked)
    app.before_request(_refuse_frozen)
    app.url_defaults(_lead_back)
    app.after_request(_say_why)
    _note_why_renaming_fails()


def _note_why_renaming_fails() -> None:
    """Otter Wiki answers any failure of a rename as if it were done, with a notice that does not say why."""
    import otterwiki.wiki  # noqa: PLC0415  (importing it before the server would start a wiki)

    rename_page = otterwiki.wiki.Page.rename

    def rename(page: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return rename_page(page, *args, **kwargs)
        except ContentError as error:
            g.robot_refusal = error
            raise

    otterwiki.wiki.Page.rename = rename


def _say_why(answer: Response) -> Any:
    refusal = g.pop("robot_refusal", None)
    return answer if refusal is None else show_refusal(refusal)


def _refuse_blocked() -> Any:
    if request.endpoint == "login":
        # Otter Wiki sends here whoever may not read; it passes on where they wanted to go.
        return redirect(SIGN_IN + quote(_local_path(request.args.get("next", "/")), safe=""))
    if request.endpoint == "settings" and request.method == "POST":
        return show_replaced(403, YOUR_NAME)
    elsewhere = REPLACED.get(request.endpoint or "")
    return None if elsewhere is None else show_replaced(404, elsewhere)


def _ways_on() -> str:
    if not current_user.is_authenticated:
        return _sidebar_link(sign_in_url(), "fa-sign-in-alt", "Sign in")
    return _sidebar_link(current_app.config["ROBOT_PLATFORM_URL"], "fa-robot", "Wiki and agents") + _SIGN_OUT


def _similar_to(page: str | None) -> str:
    """A way from a page that is shown to those like it."""
    if request.endpoint not in _SHOWING or not page:
        return ""
    return _sidebar_link(Asked(like=page).address(), "fa-clone", "Similar pages")


def _refuse_frozen() -> Any:
    """What asks for no permission, or would have somebody sign in for it, is answered first."""
    return show_refusal(WikiFrozen()) if request.endpoint in (SAVING, "create") and is_frozen() else None


def _lead_back(endpoint: str, values: dict[str, Any]) -> None:
    """Otter Wiki's own links to sign in say where they are: who follows one is known by nothing else (`repeatable`)."""
    if endpoint == "login" and request:
        values.setdefault("next", here())


def _local_path(path: str) -> str:
    """The path if it is one on this host, else the wiki's start (a browser takes `//x` and `/\\x` for hosts)."""
    if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable():
        return path
    return "/"


def _sidebar_link(url: str, icon: str, text: str) -> str:
    return (
        f'<a href="{escape(url)}" class="sidebar-link sidebar-link-with-icon">'
        f'<span class="sidebar-icon"><i class="fas {icon}" aria-hidden="true"></i></span>{escape(text)}</a>'
    )
