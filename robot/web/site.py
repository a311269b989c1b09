"""What every page of the platform works with."""

from __future__ import annotations

from typing import NamedTuple

from robot.address import PublicAddress
from robot.db import Database
from robot.signin.sessions import Sessions


class Site(NamedTuple):
    """The accounts and wikis, the addresses they are at, and who is signed in. A page unpacks what it needs."""

    db: Database
    address: PublicAddress
    sessions: Sessions
