"""One run of schemathesis against a running robot, as one kind of caller."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import trio

from robot.access import grant_role
from robot.accounts import create_user
from robot.db import Database
from robot.hosting import create_hosted_wiki
from robot.model import Role, Scope, Visibility
from robot.tokens import create_token
from tests.harness import Robot
from wikihost.layout import DataDir
from wikihost.quota import Quota

ROOT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
SEED = 20260101
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Caller:
    """A wiki to ask, and the token to ask with; empty for none."""

    wiki: str
    token: str


def plant_callers(robot: Robot) -> dict[str, Caller]:
    """A private and a public wiki, and everybody who may ask them something."""
    return trio.run(_plant, robot)


async def _plant(robot: Robot) -> dict[str, Caller]:
    data = DataDir(robot.data)
    db = Database.open(data.robot_db)
    try:
        owner = await create_user(db, "fuzz-owner", "Owner")
        wikis = [
            await create_hosted_wiki(
                db,
                data,
                owner,
                slug=slug,
                name=slug,
                description="",
                visibility=visibility,
                domain="robot.localhost",
                quota=Quota(),
            )
            for slug, visibility in (("closed", Visibility.PRIVATE), ("open", Visibility.PUBLIC))
        ]
        callers = {"stranger": Caller("closed", robot.token), "anonymous": Caller("open", "")}
        for role in Role:
            person = owner if role is Role.OWNER else await create_user(db, f"fuzz-{role}", f"The {role}")
            await grant_role(db, person, wikis[0], role)
            secret, _ = await create_token(db, person, wikis[0], "fuzz", [Scope.READ, Scope.WRITE])
            callers[role.value] = Caller("closed", secret)
        return callers
    finally:
        db.close()


def run_schemathesis(robot: Robot, caller: Caller, document: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`st run` with the settings of this folder; exit status 0 when nothing was found."""
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run", str(document)]
    argv += ["--url", f"http://127.0.0.1:{robot.port}/api/v1", "--seed", str(SEED)]
    argv += ["--header", f"Host: {caller.wiki}.robot.localhost:{robot.port}"]
    if caller.token:
        argv += ["--header", f"Authorization: Bearer {caller.token}"]
    return subprocess.run(
        [*argv, *words],
        cwd=document.parent,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.flow.schema_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
