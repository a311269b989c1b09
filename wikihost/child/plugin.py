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
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import Forbidden

from wikihost.child.plain import SAVING, SIGN_IN, plain_page
from wikihost.child.saving import base_field
from wikihost.child.search_form import Asked
from wikihost.errors import (
    FROZEN,
    ContentError,
    InvalidAttachment,
    InvalidPageName,
    QuotaExceeded,
    StorageFailed,
    StorageFull,
    WikiFrozen,
)
from wikihost.worker_protocol import FROZEN_HEADER
from wikihost.writer import DISK_FULL, Moved

# Screens about people, mail and remotes. In a hosted wiki the platform decides these.
BLOCKED_ENDPOINTS: Final = frozenset(
    {
        "admin_mail_preferences",
        "admin_permissions_and_registration",
        "admin_repository_management",
        "admin_user_management",
        "confirm_email",
        "dotgit",
        "git_info_refs",
        "git_receive_pack",
        "git_upload_pack",
        "logout",
        "lost_password",
        "pull_webhook",
        "recover_password",
        "register",
        "request_confirmation_link",
        "security_check",
        "user",
        "well_known_change_password",
    }
)
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
_STYLE: Final = "<style>" + ",".join(f'a[href="{link}"]' for link in _HIDDEN_LINKS) + "{display:none!important}</style>"


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
        return (_READ_ONLY if _is_frozen() else "") + _similar_to(page) + _ways_on()


def install(app: Any) -> None:
    """Add refusals to the application; before its first request."""
    app.before_request(_refuse_blocked)
    app.before_request(_refuse_frozen)
    app.url_defaults(_lead_back)
    app.after_request(_say_why)
    _note_why_renaming_fails()
    app.register_error_handler(Forbidden, _forbidden)
    app.register_error_handler(ContentError, _refused)
    app.register_error_handler(OSError, _disk_failed)
    app.register_error_handler(OperationalError, _database_failed)


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
    return answer if refusal is None else _refused(refusal)


def sign_in_url() -> str:
    """Where the front signs people in, with the way back to the page at hand."""
    return SIGN_IN + quote(_here(), safe="")


def _here() -> str:
    """The address of the page at hand, as the browser knows it."""
    query = request.query_string.decode("latin-1")
    return quote(request.path, safe="/") + (f"?{query}" if query else "")


def _refuse_blocked() -> Any:
    if request.endpoint == "login":
        # Otter Wiki sends here whoever may not read; it passes on where they wanted to go.
        return redirect(SIGN_IN + quote(_local_path(request.args.get("next", "/")), safe=""))
    if request.endpoint in BLOCKED_ENDPOINTS:
        return plain_page(404, "Not here", "People, access, mail and remotes of this wiki are managed on its own page.")
    if request.endpoint == "settings" and request.method == "POST":
        return plain_page(403, "Not here", "Your name is managed in your account.")
    return None


def _ways_on() -> str:
    if not current_user.is_authenticated:
        return _sidebar_link(sign_in_url(), "fa-sign-in-alt", "Sign in")
    return _sidebar_link(current_app.config["ROBOT_PLATFORM_URL"], "fa-robot", "Wiki and agents") + _SIGN_OUT


def _similar_to(page: str | None) -> str:
    """A way from a page that is shown to those like it."""
    if request.endpoint not in _SHOWING or not page:
        return ""
    return _sidebar_link(Asked(like=page).address(), "fa-clone", "Similar pages")


def _is_frozen() -> bool:
    return FROZEN_HEADER in request.headers


def _refuse_frozen() -> Any:
    """What asks for no permission, or would have somebody sign in for it, is answered first."""
    return _refused(WikiFrozen()) if request.endpoint in (SAVING, "create") and _is_frozen() else None


def _forbidden(error: Forbidden) -> Any:
    return _refused(WikiFrozen()) if _is_frozen() else error


def _lead_back(endpoint: str, values: dict[str, Any]) -> None:
    """Otter Wiki's own links to sign in say where they are: who follows one is known by nothing else (`repeatable`)."""
    if endpoint == "login" and request:
        values.setdefault("next", _here())


def _local_path(path: str) -> str:
    """The path if it is one on this host, else the wiki's start (a browser takes `//x` and `/\\x` for hosts)."""
    if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable():
        return path
    return "/"


def _refused(error: ContentError) -> Any:
    match error:
        case StorageFull():
            return plain_page(507, "The disk is full", "Nothing was saved. Keep your text and try again later.")
        case StorageFailed():
            return plain_page(503, "The wiki could not be written", f"{error} Keep your text and try again.")
        case QuotaExceeded():
            return plain_page(413, "The wiki is full", f"{error} Nothing was changed.")
        case WikiFrozen():
            return plain_page(403, "This wiki is read-only", f"{error} Nothing was saved.")
        case InvalidPageName() if request.method in ("GET", "HEAD"):
            return plain_page(404, "No such page", str(error))
        case InvalidPageName():
            return plain_page(400, "This cannot be a page's name", str(error))
        case InvalidAttachment():
            return plain_page(400, "This file cannot be attached", str(error))
        case Moved():
            return plain_page(409, "Someone else was faster", str(error))
        case _:
            return plain_page(400, "This cannot be done", str(error))


def _disk_failed(error: OSError) -> Any:
    if error.errno in DISK_FULL:
        return _refused(StorageFull())
    raise error


def _database_failed(error: OperationalError) -> Any:
    if "full" in str(error.orig) or "disk I/O" in str(error.orig):
        return plain_page(507, "The disk is full", "Your preferences or draft were not saved. Try again later.")
    if "readonly" in str(error.orig) or "unable to open" in str(error.orig):
        return plain_page(503, "The wiki could not be written", "Your preferences or draft were not saved.")
    raise error


def _sidebar_link(url: str, icon: str, text: str) -> str:
    return (
        f'<a href="{escape(url)}" class="sidebar-link sidebar-link-with-icon">'
        f'<span class="sidebar-icon"><i class="fas {icon}" aria-hidden="true"></i></span>{escape(text)}</a>'
    )
