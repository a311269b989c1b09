"""`python -m release [FOLDER]`: write everything of a release into FOLDER (`dist`), and its checksums."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from release.archives import pack
from release.licences import licences
from release.packages import ROOT, build_sdist, build_wheel, gather_locked, requirements, sha256

# What an installation needs beside the packages.
BESIDE = ("systemd", "docs", "README.md", "CHANGELOG.md", "LICENSE")


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "dist").absolute()
    moment = int(os.environ.setdefault("SOURCE_DATE_EPOCH", str(int(time.time()))))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    sdist = build_sdist(ROOT, out, moment)
    wheel = build_wheel(sdist, out)
    folder = out / f"{wheel.name.split('-py3')[0]}-{_machine()}"
    _fill(folder, wheel)
    pack(folder, out / f"{folder.name}.tar", moment)
    _make_executable(folder, out / folder.name.replace("robot-", "robot-onefile-", 1))
    made = sorted(path for path in out.iterdir() if path.is_file())
    (out / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.name}\n" for path in made), "utf-8")
    for path in made:
        sys.stdout.write(f"{path.stat().st_size / 2**20:7.1f} MiB  {path}\n")


def _machine() -> str:
    """What the native parts are for, as wheels are named: this Python and this processor."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}-linux_{os.uname().machine}"


def _fill(folder: Path, wheel: Path) -> None:
    """The folder that installs without internet."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    gather_locked(wheels)
    shutil.copy(wheel, wheels)
    (folder / "requirements.txt").write_text(requirements(wheels), "utf-8")
    (folder / "LICENCES.txt").write_text(licences(wheels), "utf-8")
    for name in BESIDE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        else:
            shutil.copy(source, folder)


def _make_executable(folder: Path, target: Path) -> None:
    """The folder's packages as one file, which runs from a virtual environment that it makes of itself.

    robot starts processes of its Python by themselves, which find their packages in an environment only; and workers
    may read that environment and nothing that links in it lead to.
    """
    command = [sys.executable, "-m", "pex", "-r", str(folder / "requirements.txt"), "-c", "robot", "-o", str(target)]
    command += ["--no-pypi", "--find-links", str(folder / "wheels")]
    command += ["--venv", "prepend", "--venv-site-packages-copies", "--include-tools", "--sh-boot"]
    command += ["--interpreter-constraint", f"CPython=={sys.version_info.major}.{sys.version_info.minor}.*"]
    subprocess.run(command, check=True, env={**os.environ, "PEX_ROOT": str(ROOT / "build" / "pex")})


if __name__ == "__main__":
    main()
