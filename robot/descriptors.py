"""Room for connections: each takes a file descriptor, and an agent that listens keeps its own for hours."""

from __future__ import annotations

import resource

# What the systemd unit allows too. Shells often allow 1,024, though far more is theirs for the asking.
WANTED = 65_536


def allow_many_descriptors() -> None:
    """Let this process open as many descriptors as it may have, up to `WANTED`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
