from __future__ import annotations

import resource
import subprocess
import sys

from robot.descriptors import WANTED

ASK = """
import resource
from robot.descriptors import allow_many_descriptors
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
allow_many_descriptors()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_a_shells_limit_does_not_bound_the_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert int(said) == (WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard))
