"""`python -m robot.search.model.download NAME CACHE`: bring one model of the hub into a cache, and note which it was.

Asks nobody for what is in the cache already. Ends when standard input does: then whoever wanted the model is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

FAILED = 1
NOT_LISTED = 3


def note_file(cache: Path, name: str) -> Path:
    """What says that a model is in the cache whole, and its checksum."""
    return cache / f"{name.replace('/', '--')}.json"


def find_listed(name: str) -> tuple[Any, Any] | None:
    """fastembed's class and description for a model of its list."""
    from fastembed import TextEmbedding  # noqa: PLC0415 - see the package's docstring

    for kind in TextEmbedding.EMBEDDINGS_REGISTRY:
        for description in kind._list_supported_models():
            if description.model.lower() == name.lower():
                return kind, description
    return None


def main(name: str, cache: Path) -> None:
    """Download, then write the note; the process's exit code says how it went."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    found = find_listed(name)  # after the thread has begun, since it takes half a second
    if found is None:
        sys.exit(NOT_LISTED)
    kind, description = found
    cache.mkdir(parents=True, exist_ok=True)
    try:
        directory = kind.download_model(description, str(cache), retries=1)
    except Exception as error:
        sys.stderr.write(f"{name} was not downloaded: {error}\n")
        sys.exit(FAILED)
    with (directory / description.model_file).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    note = note_file(cache, name)
    fresh = note.with_suffix(".new")
    fresh.write_text(json.dumps({"sha256": sha256}) + "\n", "utf-8")
    fresh.replace(note)


def _end_with_input() -> None:
    os.read(sys.stdin.fileno(), 1)  # the buffered reader would hold a lock at the end
    os._exit(FAILED)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
