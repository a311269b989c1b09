"""`python -m tests.debian DIST`: follow docs/operations.md to the letter on a bare Debian 12, with `make dist`'s files.

Needs root, debootstrap and systemd-nspawn, and Debian's archive until the packages of the first command are there; from
then on the machine has no network. The one departure: Caddy takes certificates from an authority of its own.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from tests.debian.machine import Machine, booted, make_tree, run_online

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "debian"
MOST_COMMANDS = 10
AS_ROBOT = "runuser -u robot -- /opt/robot/.venv/bin/robot"
# A browser that knows where the names lead, since this machine has no DNS.
CURL = "curl -sSk --max-time 60 --resolve '*:443:127.0.0.1' -b /tmp/jar -c /tmp/jar"
OWN_AUTHORITY = r"sed -i 's/^\t\ton_demand$/\t\ton_demand\n\t\tissuer internal/' /etc/caddy/Caddyfile"


def main() -> None:
    dist = Path(sys.argv[1]).absolute()
    online, *offline = commands_under("## Install")
    assert 1 + len(offline) <= MOST_COMMANDS
    tree = BUILD / "tree"
    make_tree(BUILD / "base", tree)
    for name in ("*.tar", "robot-onefile-*"):
        for file in dist.glob(name):
            shutil.copy(file, tree / "root")
    tell(online)
    run_online(tree, online)
    with booted(tree) as machine:
        for command in offline:
            tell(command)
            said = machine.run(command if "Caddyfile" not in command else departed(command))
            if "login-link" in command:
                look_around(machine, said.strip())
        judge_units(machine)
        upgrade(machine)
        run_from_one_file(machine)
    sys.stdout.write("Everything in docs/operations.md works on a bare Debian 12.\n")


def commands_under(heading: str) -> list[str]:
    """The commands of the first block of shell below a heading of docs/operations.md, as they stand there."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8").split(f"\n{heading}\n", 1)[1]
    found = re.search(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1].replace("\\\n", "").splitlines()


def departed(command: str) -> str:
    copy, _, reload = command.partition(" && ")
    return f"{copy} && {OWN_AUTHORITY} && {reload}"


def look_around(machine: Machine, link: str) -> None:
    """Sign in, make a wiki and read it, all through Caddy."""
    assert link.startswith("https://wiki.example.org/auth/link?")
    assert "__Host-robot_session=" in machine.run(f"{CURL} -i '{link}'")
    assert machine.run(f"{CURL} -o /dev/null -w '%{{http_code}}' https://wiki.example.org/app/") == "200"
    machine.run(f"{AS_ROBOT} wiki create notes --visibility public")
    read_a_page(machine)
    assert machine.attempt(f"{CURL} https://stranger.example.net/").returncode == 35  # no certificate, no handshake
    assert "No problems found." in machine.run(f"{AS_ROBOT} check")


def read_a_page(machine: Machine) -> None:
    assert "<title>notes" in machine.run(f"{CURL} https://notes.wiki.example.org/Home")


def judge_units(machine: Machine) -> None:
    assert machine.run("systemctl is-enabled robot.service robot.socket").split() == ["enabled", "enabled"]
    assert machine.run("systemd-analyze verify /opt/robot/systemd/robot.service /opt/robot/systemd/robot.socket") == ""
    exposure = machine.run("systemd-analyze security --no-pager robot.service")
    assert re.search(r"Overall exposure level for robot\.service: [01]\.", exposure), exposure
    main_process = machine.run("cat /proc/$(systemctl show -p MainPID --value robot)/status")
    assert re.search(r"^NoNewPrivs:\t1$", main_process, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", main_process, re.MULTILINE)


OLD_DATA = """
import sqlite3, pathlib
from robot.migrate import migrate, shipped_migrations
path = pathlib.Path("/var/lib/robot/robot.db")
path.unlink()
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
migrate(connection, path, shipped_migrations()[:-1])
connection.execute(
    "INSERT INTO users (id, name, display_name, is_operator, created_at) VALUES ('u1', 'ada', 'Ada', 1, 0)"
)
"""


NEXT_RELEASE = """
mkdir next && tar -xf robot-0.1.0-*.tar -C next && mv next/robot-0.1.0-* next/robot-0.2.0-cp311-linux_x86_64
tar -cf robot-0.2.0-cp311-linux_x86_64.tar -C next . && rm -r next
"""


def upgrade(machine: Machine) -> None:
    """From data of an earlier release to the same packages under the next release's name."""
    machine.run("systemctl stop robot.socket robot.service")
    machine.run(f"runuser -u robot -- /opt/robot/.venv/bin/python -c {shell_word(OLD_DATA)}")
    unpack, check, switch = commands_under("## Upgrade")
    machine.run(NEXT_RELEASE)
    for command in (unpack, check, switch):
        tell(command)
        done = machine.attempt(command)
        assert done.returncode == (3 if command is check else 0), done.stdout + done.stderr
        sys.stdout.write(done.stdout)
    assert "ada" in machine.run(f"{AS_ROBOT} user list")
    assert machine.attempt(f"{AS_ROBOT} upgrade --check").returncode == 0
    machine.run("ls /var/lib/robot/robot.db.v*")


def run_from_one_file(machine: Machine) -> None:
    """The same unit runs the file itself, which unpacks itself where it may."""
    for command in commands_under("### One file"):
        tell(command)
        machine.run(command)
    machine.run(f"{AS_ROBOT} wiki create notes2 --visibility public")
    assert machine.run(f"{CURL} -o /dev/null -w '%{{http_code}}' https://notes2.wiki.example.org/Home") == "200"
    program = machine.run("tr '\\0' ' ' < /proc/$(systemctl show -p MainPID --value robot)/cmdline")
    assert program.startswith("/var/cache/robot/"), program


def shell_word(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def tell(line: str) -> None:
    sys.stdout.write(f"$ {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
