"""A pytest plugin that runs the tests of Otter Wiki's source distribution on robot's storage.

The distribution holds the tests but not the fixtures that they ask for, so those are here, made from how they are used:
an application whose wiki, database and settings are new for each test, and clients with and without an account.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import otterwiki.gitstorage
import pytest

from tests.otterwiki_suite.exclusions import DIFFERENT_FIXTURES, DIFFERS, MODULES
from tests.otterwiki_suite.suite_storage import SuiteStorage

otterwiki.gitstorage.GitStorage = SuiteStorage  # before any module copied the class

_PEOPLE = [
    ("Test User", "mail@example.org", "password1234", True),
    ("Another User", "another@user.org", "password4567", False),
]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.suffix == ".py" and collection_path.stem not in MODULES else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    unused = set(DIFFERS)
    for item in items:
        name = f"{item.path.name}::{item.name}"
        named = {beginning for beginning in DIFFERS if f"{name}$".startswith(beginning)}
        unused -= named
        reasons = [DIFFERS[beginning] for beginning in named]
        reasons += [why for fixture, why in DIFFERENT_FIXTURES.items() if fixture in getattr(item, "fixturenames", ())]
        if reasons:
            item.add_marker(pytest.mark.xfail(reason=reasons[0], strict=True))
    if unused and {item.path.stem for item in items} >= MODULES:
        raise pytest.UsageError(f"no test is called {', '.join(sorted(unused))}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Otter Wiki's server module, imported on a wiki that no test uses."""
    place = tmp_path_factory.mktemp("imported")
    SuiteStorage(str(place), initialize=True)
    settings = place / "settings.cfg"
    settings.write_text(
        f"REPOSITORY = {str(place)!r}\nSITE_NAME = 'TEST WIKI'\nSECRET_KEY = 'only for these tests'\n"
        "DEBUG = True\nTESTING = True\nMAIL_SUPPRESS_SEND = True\nWTF_CSRF_ENABLED = False\n"
    )
    os.environ["OTTERWIKI_SETTINGS"] = str(settings)
    import otterwiki.server
    import otterwiki.views

    from wikihost.child.otter import work_with_storage

    work_with_storage(otterwiki.server)
    return otterwiki.server


@pytest.fixture
def create_app(server: Any, tmp_path: Path) -> Iterator[Any]:
    app, storage = server.app, server.storage
    repo = Path(tempfile.mkdtemp(dir=tmp_path)) / "repo"
    storage.__init__(str(repo), initialize=True)
    with open(os.path.join(app.root_path, "initial_home.md")) as text:
        storage.store("home.md", text.read(), message="Initial commit", author=("Otterwiki Robot", "noreply@otterwiki"))
    app.storage = storage
    app.test_mail = server.mail
    app._otterwiki_tempdir = str(repo)
    config = dict(app.config)
    with app.app_context():
        server.db.drop_all()
        server.db.create_all()
    yield app
    with app.app_context():
        server.db.session.remove()
    app.config.clear()
    app.config.update(config)
    server.app_renderer.__init__(config=app.config)


@pytest.fixture
def req_ctx(create_app: Any) -> Iterator[Any]:
    with create_app.test_request_context() as context:
        yield context


@pytest.fixture
def test_client(create_app: Any) -> Any:
    return create_app.test_client()


@pytest.fixture
def app_with_user(create_app: Any, server: Any, req_ctx: Any) -> Any:
    from otterwiki.auth import SimpleAuth

    for name, email, password, is_admin in _PEOPLE:
        user = SimpleAuth.User(
            name=name,
            email=email,
            password_hash=_hash(password),
            first_seen=datetime.now(),
            last_seen=datetime.now(),
            is_admin=is_admin,
            is_approved=True,
            email_confirmed=True,
        )
        server.db.session.add(user)
    server.db.session.commit()
    return create_app


@cache
def _hash(password: str) -> str:
    """Takes a tenth of a second."""
    from otterwiki.auth import generate_password_hash

    return str(generate_password_hash(password))


@pytest.fixture
def admin_client(app_with_user: Any) -> Any:
    return _signed_in(app_with_user, "mail@example.org", "password1234")


@pytest.fixture
def other_client(app_with_user: Any) -> Any:
    return _signed_in(app_with_user, "another@user.org", "password4567")


def _signed_in(app: Any, email: str, password: str) -> Any:
    client = app.test_client()
    answer = client.post("/-/login", data={"email": email, "password": password}, follow_redirects=True)
    assert "You logged in successfully." in answer.text
    return client
