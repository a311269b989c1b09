"""Import Otter Wiki once, and make it another wiki in place.

Otter Wiki keeps its wiki in module globals that fifteen modules copied at import. So nothing is replaced here:
each of those objects is changed where it stands, and the zygote proves at its start that nothing was forgotten.
"""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wikihost.child.settings import DECIDED, Setting, described_settings, wiki_settings
from wikihost.layout import WikiHome
from wikihost.markdown import keep_merge_keys
from wikihost.worker_protocol import Described, WorkerSpec

# The file that every connection of Otter Wiki's engine opens. Its engine cannot be replaced (Flask-SQLAlchemy
# keeps it to itself), but SQLAlchemy asks us to connect.
_database = {"path": ""}


def load(spec: WorkerSpec) -> Any:
    """Import Otter Wiki with our storage, as the wiki of `spec`, and return its server module.

    The wiki's repository must exist; its database gets its schema here.
    """
    import otterwiki.gitstorage  # noqa: PLC0415 -- late: with it comes most of Otter Wiki
    from sqlalchemy import event  # noqa: PLC0415

    from wikihost.child.storage import RobotStorage  # noqa: PLC0415

    otterwiki.gitstorage.GitStorage = RobotStorage  # before any module copied the class
    settings = {**DECIDED, **wiki_settings(spec)}
    _set_environment(settings)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # its banner is for a person who started it
            import otterwiki.server as server  # noqa: PLC0415, PLR0402 -- reads the environment, opens the wiki
    except SystemExit as error:
        raise ImportError(f"Otter Wiki refuses to start: {said.getvalue().strip()}") from error
    finally:
        _clear_environment(settings)
    server.app.config.update(settings)
    with server.app.app_context():
        event.listen(server.db.engine, "do_connect", _connect)
    _decide_settings(server)
    _extend(server)
    return server


def bind(server: Any, spec: WorkerSpec) -> None:
    """Make the imported Otter Wiki the wiki of `spec`. Nothing of the wiki before may remain."""
    import otterwiki.helper  # noqa: PLC0415
    import otterwiki.repomgmt  # noqa: PLC0415
    from itsdangerous import URLSafeTimedSerializer  # noqa: PLC0415

    app, db, storage = server.app, server.db, server.storage
    home = WikiHome(Path(spec.root))
    app.config.update(wiki_settings(spec))
    storage.__init__(str(home.repo))
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
        _database["path"] = str(home.wiki_db)
        db.create_all()
    server.update_app_config()
    server.app_renderer.__init__(config=app.config)
    server.githttpserver.path = str(home.repo)
    otterwiki.repomgmt.initialize_repo_management(storage)
    otterwiki.helper._serializer = URLSafeTimedSerializer(app.config["SECRET_KEY"])


def describe(server: Any, described: Described) -> None:
    """Let the bound wiki be called otherwise, as far as its owner's own preferences do not say it already."""
    from wikihost.child.repeatable import changing  # noqa: PLC0415 -- with Flask comes much of Otter Wiki

    with changing(server.app), server.app.app_context():
        server.app.config.update(described_settings(described))
        server.update_app_config()


def _decide_settings(server: Any) -> None:
    """Put robot's settings back whenever Otter Wiki has read its owner's preferences."""
    import otterwiki.preferences  # noqa: PLC0415

    read_preferences = server.update_app_config

    def update_app_config() -> None:
        read_preferences()
        server.app.config.update(DECIDED)

    server.update_app_config = update_app_config
    otterwiki.preferences.update_app_config = update_app_config


def _extend(server: Any) -> None:
    """Add what robot needs to the application; before its first request."""
    import otterwiki.auth  # noqa: PLC0415
    import yaml  # noqa: PLC0415
    from otterwiki.plugins import plugin_manager  # noqa: PLC0415

    from wikihost.child import (  # noqa: PLC0415
        failing,
        identity,
        menu,
        moves,
        naming,
        plugin,
        recent,
        redirecting,
        repeatable,
        robots,
        saving,
        searching,
    )

    app = server.app
    plugin_manager.register(plugin.RobotPlugin(), "robot")
    repeatable.install(app, server.storage)  # first, so that it sees all that happens in a request
    plugin.install(app)
    menu.install(app)
    failing.install(app)
    naming.install(app, server.storage)
    redirecting.install(app, server.storage)
    searching.install(app, server.storage)
    saving.install(app, server.storage)
    moves.install(server.storage)
    work_with_storage(server)
    # The layout's token would open a session on every page; the front's same-origin rule takes its place.
    app.context_processor(lambda: {"csrf_token": lambda: ""})
    recent.install(app)
    robots.install(app)
    otterwiki.auth.auth_manager = identity.core_says(app.config)
    # Otter Wiki reads the frontmatter of a page at each view, bounded in nothing.
    yaml.SafeLoader.flatten_mapping = keep_merge_keys  # type: ignore[assignment]


def work_with_storage(server: Any) -> None:
    """Make Otter Wiki use what our storage knows, and safe with threads; it shows what stock shows."""
    import otterwiki.helper  # noqa: PLC0415
    import otterwiki.pageindex  # noqa: PLC0415
    import otterwiki.renderer  # noqa: PLC0415
    import otterwiki.renderer_plugins  # noqa: PLC0415
    import otterwiki.sidebar  # noqa: PLC0415
    import otterwiki.wiki  # noqa: PLC0415
    from otterwiki.plugins import plugin_manager  # noqa: PLC0415

    from wikihost.child import changelog, images, page_index, rendering, sidebar, threads, uploads  # noqa: PLC0415

    app, storage = server.app, server.storage
    uploads.install(app, storage)
    images.install(otterwiki.wiki.Attachment)
    app.teardown_request(lambda _error: storage.release())
    sidebar.remember_page_indexes(otterwiki.sidebar.SidebarPageIndex, app, storage)
    page_index.remember_pages(otterwiki.pageindex.PageIndex, app, storage)
    changelog.describe_shown_commits_only(storage)
    rendering.remember_clean_html(otterwiki.renderer)
    modules = (otterwiki.helper, otterwiki.pageindex, otterwiki.wiki)
    rendering.find_headings_only(otterwiki.renderer, otterwiki.renderer_plugins, server.app_renderer, modules)
    threads.guard_headings_cache(server, otterwiki.helper, otterwiki.wiki)
    threads.lock_renderer(server.app_renderer)
    threads.separate_embeddings(plugin_manager.get_plugins())


def _connect(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> sqlite3.Connection | None:
    """SQLAlchemy's `do_connect` event: open the database of the wiki that is bound now."""
    if not _database["path"]:
        return None
    return sqlite3.connect(_database["path"], check_same_thread=parameters.get("check_same_thread", False))


def _set_environment(settings: Mapping[str, Setting]) -> None:
    """Otter Wiki's only configuration that is read before its import has opened the wiki."""
    for name, value in settings.items():
        if value is not None:
            os.environ[name] = str(value)


def _clear_environment(settings: Mapping[str, Setting]) -> None:
    """Take the settings out again: git and its hooks need not know the session key."""
    for name in settings:
        os.environ.pop(name, None)
