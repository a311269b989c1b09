"""Run the tests of Otter Wiki's source distribution on robot's storage; arguments are pytest's options.

The distribution is the one whose hash is in requirements.lock; it is fetched once for each version.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_LOCKED: Final = re.compile(r"^otterwiki==(\S+) \\\n(?: +--hash=\S+(?: \\)?\n)+", re.MULTILINE)


def main() -> int:
    tests = _fetch_tests()
    plugin = ["-p", "tests.otterwiki_suite.plugin", "-p", "no:cacheprovider"]
    # Neither our settings of pytest nor Otter Wiki's: the tests are run as they lie there.
    places = ["-c", os.devnull, "--rootdir", str(tests), str(tests)]
    surroundings = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", *plugin, *places, *sys.argv[1:]]
    return subprocess.run(command, check=False, env=surroundings, cwd=tests).returncode


def _fetch_tests() -> Path:
    """The directory with the tests of the locked version."""
    locked = _LOCKED.search((_ROOT / "requirements.lock").read_text("utf-8"))
    if locked is None:
        raise SystemExit("requirements.lock does not say which Otter Wiki this is")
    tests = Path(sys.prefix) / f"otterwiki-{locked[1]}-tests"
    if tests.is_dir():
        return tests
    with tempfile.TemporaryDirectory(dir=sys.prefix) as scratch:
        place = Path(scratch)
        (place / "requirements.txt").write_text(locked[0].rstrip(" \\\n") + "\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet", "download"]
        # Its metadata is made with the setuptools that is locked for the build of robot itself.
        source = ["--no-deps", "--require-hashes", "--no-binary", "otterwiki", "--no-build-isolation"]
        subprocess.run([*pip, *source, "--dest", scratch, "-r", str(place / "requirements.txt")], check=True)
        (archive,) = place.glob("otterwiki-*.tar.gz")
        found = place / "tests"
        found.mkdir()
        _unpack_tests(archive, found)
        found.rename(tests)
    return tests


def _unpack_tests(archive: Path, to: Path) -> None:
    with tarfile.open(archive) as distribution:
        for member in distribution:
            name = Path(member.name)
            if name.parts[1:] == ("tests", name.name) and name.match("test_*.py") and member.isfile():
                content = distribution.extractfile(member)
                assert content is not None  # as it is a file
                (to / name.name).write_bytes(content.read())


if __name__ == "__main__":
    sys.exit(main())
