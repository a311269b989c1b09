"""The pages that a new wiki begins with: each `*.md` file here, named as the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from wikihost.names import SUFFIX


def default_pages(name: str, description: str) -> Mapping[str, str]:
    """Page name → text, with `{{ name }}` and `{{ description }}` filled in."""
    pages = {}
    for source in files(__name__).iterdir():
        if source.name.endswith(SUFFIX):
            # The name first and once: neither value is looked at for placeholders of the other.
            parts = source.read_text("utf-8").split("{{ name }}")
            filled = [part.replace("{{ description }}", description.strip()) for part in parts]
            # An empty description leaves no gap.
            pages[source.name.removesuffix(SUFFIX)] = re.sub(r"\n{3,}", "\n\n", _one_line(name).join(filled))
    return pages


def _one_line(text: str) -> str:
    return " ".join(text.split())
