"""What `make dist` publishes: whole, the same each time, and enough to run from without internet."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from release.licences import licences
from release.packages import ROOT, build_sdist, build_wheel, requirements
from tests.harness import environment, free_port

MOMENT = 1_700_000_000
DOCS = (ROOT / "docs" / "operations.md").read_text("utf-8")


PACKAGES = ("robot", "wikihost", "proxy")
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "requirements.lock")


def tracked(*places: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *places], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Source and wheel of what is tracked here; with no model, which would take seconds to compress three times."""
    checkout, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in tracked(*PACKAGES, "docs", "systemd", *FILES):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith(".onnx"):
            shutil.copy(ROOT / name, checkout / name)
        else:
            (checkout / name).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(MOMENT))
        sdist = build_sdist(checkout, out, MOMENT)
        return sdist, build_wheel(sdist, out)


def test_nothing_of_the_packages_is_missing(made: tuple[Path, Path]) -> None:
    """Templates, styles, migrations, seeds, the handbook and the model are in the wheel, and so in the source, too."""
    with zipfile.ZipFile(made[1]) as wheel:
        names = set(wheel.namelist())
    assert set(tracked(*PACKAGES)) - names == set()
    assert {name for name in names if name.endswith("/licenses/LICENSE")}


def test_the_source_says_nothing_of_who_made_it_or_when(made: tuple[Path, Path]) -> None:
    with tarfile.open(made[0]) as sdist:
        members = sdist.getmembers()
    assert {(member.uname, member.uid, member.mtime) for member in members} == {("root", 0, MOMENT)}
    assert {member.mode for member in members} <= {0o644, 0o755}
    assert {member.name for member in members} >= {f"robot-0.1.0/systemd/{unit}" for unit in ("robot.service",)}


def test_every_wheel_is_pinned_by_its_hash_and_its_licence_is_told(made: tuple[Path, Path]) -> None:
    folder = made[1].parent
    assert re.fullmatch(r"robot==0\.1\.0 --hash=sha256:[0-9a-f]{64}\n", requirements(folder))
    text = licences(folder)
    assert text.startswith("robot 0.1.0: MIT\n")
    assert "Permission is hereby granted" in text


@pytest.mark.flow
@pytest.mark.alone
def test_the_wheel_is_installed_and_started_without_a_network(made: tuple[Path, Path], tmp_path: Path) -> None:
    """Its dependencies are those of this environment; robot itself is nothing but the wheel."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run(
        [*pip, "--no-index", "--no-deps", "--no-compile", "--target", str(packages), str(made[1])], check=True
    )
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    # A network of its own has loopback alone, and that only once it is up.
    alone = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"] if os.geteuid() == 0 else []
    if alone and shutil.which("ip") is None:
        pytest.skip("ip is needed to bring loopback up")
    program = [*alone, str(tmp_path / "venv/bin/python"), "-c", STARTED, str(tmp_path / "data"), str(free_port())]
    done = subprocess.run(
        program,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment({"ROBOT_EMBEDDING_MODEL": "none"}),
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["robot"].startswith(str(packages))
    assert "robot handbook" in said["page"]
    assert said["status"] == 0


# Runs as the installed robot's Python: a demo, one page of its handbook, and SIGTERM.
STARTED = """
import json, signal, subprocess, sys, urllib.request, robot
data, port = sys.argv[1:]
command = [sys.executable, "-I", "-m", "robot", "demo", "--json", "--port", port, "--data", data]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
    wiki = json.loads(host.stdout.readline())["wiki"].removeprefix("http://")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/Home", headers={"Host": wiki})
    page = urllib.request.urlopen(request, timeout=60).read().decode()
    host.send_signal(signal.SIGTERM)
print(json.dumps({"robot": robot.__file__, "page": page, "status": host.wait()}))
"""


def test_installing_takes_ten_commands_at_most_and_names_files_that_there_are() -> None:
    install = DOCS.split("\n## Install\n", 1)[1]
    block = install[install.index("```sh\n") + 6 : install.index("\n```\n")]
    assert len(block.splitlines()) <= 10
    unit = (ROOT / "systemd" / "robot.service").read_text("utf-8")
    for path in re.findall(r"/opt/robot/(systemd/\S+)", DOCS):
        assert (ROOT / path.rstrip("`;")).exists(), path
    assert "ExecStart=/opt/robot/.venv/bin/robot serve" in unit
    assert "/opt/robot/.venv/bin/robot login-link" in block
