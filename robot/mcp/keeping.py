"""How long, and by whom, an answer may be kept (MCP 2026-07-28, `ttlMs` and `cacheScope`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What only another release, another role or the owner's settings change.
SETTLED_MS = 60_000
# Names of pages: agents make and find them within one task.
NAMES_MS = 5_000
# The text of a page: an agent that has just changed it must not read what it said before.
TEXT_MS = 0


def kept(result: Mapping[str, Any], ttl_ms: int, *, public: bool) -> dict[str, Any]:
    """The result with its hints; older protocols are sent none of them. `public`: everybody is answered the same."""
    return {"resultType": "complete", "ttlMs": ttl_ms, "cacheScope": "public" if public else "private", **result}
