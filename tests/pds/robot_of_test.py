"""robot as it is run on a real host, but in the small internet of a test. Run as robot is."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from unittest.mock import patch

from robot import cli
from robot.signin.atproto.handles import HandlePolicy
from tests.pds.internet import MappedDoor
from tests.robot.fake_dns import FakeDns

if __name__ == "__main__":
    place = json.loads(os.environ["TEST_INTERNET"])
    door = partial(MappedDoor, ca_file=Path(place["ca_file"]), front_port=place["front_port"])
    policy = partial(HandlePolicy, tests_too=True)
    with (
        patch("robot.doors.Door", door),
        patch("robot.doors.PublicDns", FakeDns),
        patch("robot.doors.HandlePolicy", policy),
    ):
        cli.main()
