"""What an undo does, told page by page."""

from __future__ import annotations

from wikihost import trees
from wikihost.draft import Draft
from wikihost.names import file_of, name_of_file
from wikihost.repo import unified_diff
from wikihost.values import UndonePage


def pages_of(draft: Draft) -> list[UndonePage]:
    """The pages that a draft changes, by name; a file counts to its page."""
    differences = draft.differences()
    attachments: dict[str, list[str]] = {}
    for path in differences:
        if name_of_file(path) is None:
            folder, _, filename = path.rpartition("/")
            attachments.setdefault(folder, []).append(filename)
    texts = {name for path in differences if (name := name_of_file(path)) is not None}
    # A page that is renamed is told once, under the name that it gets.
    came_from = {source for source in draft.moved.values() if draft.entry(file_of(source)) is None}
    names = sorted({*texts, *attachments} - came_from)
    return [_page(draft, name, sorted(attachments.get(name, ()))) for name in names]


def _page(draft: Draft, name: str, attachments: list[str]) -> UndonePage:
    file, source = file_of(name), draft.moved.get(name)
    before = draft.before(file if source is None else file_of(source))
    after = draft.entry(file)
    shown = [filename.encode("utf-8", "replace").decode() for filename in attachments]
    diff = unified_diff(file, _bytes(draft, before), _bytes(draft, after))
    if source is not None:
        return UndonePage(name, "renamed", diff, shown, source)
    if before is None and after is not None:
        return UndonePage(name, "created", diff, shown)
    return UndonePage(name, "deleted" if before is not None and after is None else "updated", diff, shown)


def _bytes(draft: Draft, entry: trees.Entry | None) -> bytes | None:
    return None if entry is None else draft.read(entry)
