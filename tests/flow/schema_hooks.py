"""What schemathesis cannot know by itself: which texts are names of pages and of files."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

_CHARACTERS = st.characters(
    exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Zs"), exclude_characters="/\\;.", include_characters=" "
)
_PARTS = (
    st.text(_CHARACTERS, min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda part: part and not part.startswith("-") and part.casefold() != ".git")
)

schemathesis.openapi.format("page-name", st.lists(_PARTS, min_size=1, max_size=3).map("/".join))
schemathesis.openapi.format("file-name", _PARTS)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Give each request that has a good `Idempotency-Key` one of its own, as the document asks."""
    headers: MutableMapping[str, Any] = case.headers if case.headers else {}
    key = headers.get("Idempotency-Key", "")
    if isinstance(key, str) and 0 < len(key) < 200 and key.isascii() and key.isprintable() and key.strip() == key:
        headers["Idempotency-Key"] = f"{key}-{uuid4()}"
    good = case.meta is not None and case.meta.generation.mode.is_positive
    if good and headers.get("If-Match") == "0":
        del headers["If-Match"]  # what schemathesis makes up for this header, whatever the schema says
