"""Which Otter Wiki settings robot decides, and which are the wiki owner's.

Otter Wiki lets preferences stored in `wiki.db` override its configuration, so the decided ones are put back each
time it has read them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wikihost.layout import WikiHome
from wikihost.worker_protocol import SESSION_COOKIE, Described, WorkerSpec

Setting = str | bool | int | None

# A page of a million characters, form-encoded (%-escapes take three bytes for each), with its other fields.
MAX_FORM_BYTES: Final = 8 * 1024 * 1024

# The same for every wiki and not for its owner to change.
DECIDED: Final[Mapping[str, Setting]] = {
    # Core says who is asking; stored users do not exist in this mode.
    "AUTH_METHOD": "PROXY_HEADER",
    "AUTH_HEADERS_USERNAME": "x-otterwiki-name",
    "AUTH_HEADERS_EMAIL": "x-otterwiki-email",
    "AUTH_HEADERS_PERMISSIONS": "x-otterwiki-permissions",
    "DISABLE_REGISTRATION": True,
    # The front refuses cross-site writes by their Origin, for every door alike.
    "WTF_CSRF_ENABLED": False,
    # One naming rule for all doors: the file name is the page name, letter by letter.
    "RETAIN_PAGE_NAME_CASE": True,
    "TREAT_UNDERSCORE_AS_SPACE_FOR_TITLES": True,
    # The wiki answers for whatever host core forwards; a fixed name would turn others into 404.
    "SERVER_NAME": None,
    # Git is served by core; a worker never talks to another machine.
    "GIT_WEB_SERVER": False,
    "GIT_REMOTE_PUSH_ENABLED": False,
    "GIT_REMOTE_PULL_ENABLED": False,
    "GIT_ALLOW_EXTERNAL_SYMLINKS": False,
    "MAIL_SERVER": "",
    "MAX_FORM_MEMORY_SIZE": MAX_FORM_BYTES,
    # Core says with each request who is asking; a session holds notices, and ends when they were shown.
    "SESSION_PROTECTION": None,
    "SESSION_COOKIE_NAME": SESSION_COOKIE,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    # A name that no browser can send: where this cookie comes, flask-login does not ask core's headers who it is.
    "REMEMBER_COOKIE_NAME": "; none",
    "DEBUG": False,
    "TESTING": False,
}


def wiki_settings(spec: WorkerSpec) -> dict[str, Setting]:
    """The settings of one wiki; its owner's preferences may override the site name and description."""
    home = WikiHome(Path(spec.root))
    return {
        "REPOSITORY": str(home.repo),
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{home.wiki_db}",
        "SECRET_KEY": session_key(home),
        "LOG_LEVEL": spec.log_level,
        "MAX_CONTENT_LENGTH": spec.max_upload_bytes,
        **described_settings(spec.described),
    }


def described_settings(described: Described) -> dict[str, Setting]:
    """Those that say what the wiki is called."""
    return {
        "SITE_NAME": described.site_name,
        "SITE_DESCRIPTION": described.description,
        "ROBOT_PLATFORM_URL": described.platform_url,
    }


def session_key(home: WikiHome) -> str:
    """The key that signs this wiki's Otter Wiki sessions (notices, recent pages), made at its first start.

    It is kept, so that a worker that slept in between still knows them, and never shared between wikis.
    """
    path = home.session_key
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        key = secrets.token_urlsafe(32)
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(key, "ascii")
        fresh.replace(path)
        return key
