"""The distributions of a release: robot's own, and wheels of everything that it needs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from release.archives import pack

ROOT = Path(__file__).parent.parent


def build_sdist(source: Path, out: Path, moment: int) -> Path:
    """Write the source distribution of a checkout into `out`."""
    with TemporaryDirectory() as scratch:
        (built,) = _build("sdist", source, Path(scratch))
        folder = _unpack(built, Path(scratch))
        pack(folder, out / built.name, moment)
        return out / built.name


def build_wheel(sdist: Path, out: Path) -> Path:
    """Build the wheel from what the source distribution holds, so that it is known to be whole."""
    with TemporaryDirectory() as scratch:
        (built,) = _build("wheel", _unpack(sdist, Path(scratch)), out)
    return built


def gather_locked(out: Path) -> None:
    """Fetch what `requirements.lock` pins into `out`, checked against its hashes; make wheels of what has none.

    Raises CalledProcessError; pip has said why.
    """
    options = ["--quiet", "--quiet", "--disable-pip-version-check", "--use-pep517", "--no-build-isolation"]
    wanted = ["--require-hashes", "-r", str(ROOT / "requirements.lock")]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, *wanted, "-w", str(out)], check=True)


def requirements(wheels: Path) -> str:
    """A requirements file that pins every wheel in a folder by its hash: a wheel made here has none in the lock."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl"), key=lambda path: path.name.lower()):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{sha256(wheel)}\n")
    return "".join(lines)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build(kind: str, source: Path, out: Path) -> list[Path]:
    """Have setuptools make the one thing that `pyproject.toml` describes."""
    call = f"import sys, setuptools.build_meta as it; print(it.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", call, str(out)]
    said = subprocess.run(command, cwd=source, env=os.environ, check=True, capture_output=True, text=True).stdout
    return [out / said.splitlines()[-1]]


def _unpack(sdist: Path, to: Path) -> Path:
    shutil.unpack_archive(sdist, to)
    return to / sdist.name.removesuffix(".tar.gz")
