"""What is locked installs on the oldest Python that we promise: Debian 12 has 3.11.2."""

import re
from importlib.metadata import metadata, version
from pathlib import Path

from packaging.specifiers import SpecifierSet

DEBIAN_12 = "3.11.2"
LOCKS = [Path(__file__).parent.parent / name for name in ("requirements.lock", "requirements-dev.lock")]


def test_every_locked_package_accepts_debians_python() -> None:
    names = {name for lock in LOCKS for name in re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), re.MULTILINE)}
    wanted = {name: metadata(name).json.get("requires_python") for name in names}
    assert "trio" in wanted
    assert {name: spec for name, spec in wanted.items() if spec and DEBIAN_12 not in SpecifierSet(str(spec))} == {}


def test_there_is_one_version_of_otter_wiki() -> None:
    """What is installed, tested, benched against, and whose own tests `make test-otterwiki` runs."""
    root = Path(__file__).parent.parent
    locked = {
        lock.relative_to(root): re.findall(r"^otterwiki==(\S+)", lock.read_text(), re.MULTILINE)
        for lock in (*LOCKS, root / "bench" / "requirements.lock")
    }
    assert set(map(tuple, locked.values())) == {(version("otterwiki"),)}, locked


def test_no_lock_names_a_registry() -> None:
    """Whoever installs decides where from; an address of one would follow into every checkout."""
    root = Path(__file__).parent.parent
    for lock in (*LOCKS, *sorted(root.glob("*/*.lock"))):
        assert "://" not in lock.read_text()
        assert "index-url" not in lock.read_text()
    for lock in sorted(root.glob("tests/*/package-lock.json")):
        assert '"resolved"' not in lock.read_text()
