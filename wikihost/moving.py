"""Removing and renaming pages, with what belongs to them: attachments, and links in other pages."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection

from wikihost import query, trees
from wikihost.errors import InvalidPageName, PageExists
from wikihost.markdown import retarget_links, split_frontmatter
from wikihost.names import MAX_NAME_BYTES, file_of, name_of_file, page_key
from wikihost.plans import Plan, Snapshot, check_base
from wikihost.redirects import NO_LINK_HOLDS, redirect_text, target_of
from wikihost.repo import Repository, unified_diff
from wikihost.values import Removed, Renamed

MAX_RENAMES = 20  # of one page that are followed
_MAX_REDIRECT_BYTES = 4 * MAX_NAME_BYTES  # the name is in it twice, once escaped
_MAX_COMPARED = 50  # files of one commit: in larger ones, only equal texts tell where a page came from


def plan_page_removal(snapshot: Snapshot, name: str, *, base: str | None, message: str | None) -> Plan[Removed]:
    """Remove a page and its attachments; pages below it stay. Raises `PageNotFound`, `Conflict`."""
    row = snapshot.page(name)
    check_base(row, base, lambda: snapshot.text_of(row))
    attachments = sorted(snapshot.attachments(row.path))
    files = dict.fromkeys([row.file, *(f"{row.path}/{filename}" for filename in attachments)])
    old = snapshot.repository.read_blob(row.blob)
    shown = [filename.encode("utf-8", "replace").decode() for filename in attachments]
    return Plan(
        files,
        message or f"[api] Delete: {row.path}",
        lambda done: Removed(row.path, done.head, shown, unified_diff(row.file, old, None)),
    )


def plan_rename(
    snapshot: Snapshot, old: str, new: str, *, base: str | None, redirect: bool, message: str | None
) -> Plan[Renamed]:
    """Move a page and its attachments, and rewrite the links to it; pages below it stay.

    With `redirect`, a small page stays behind that says where it went. Raises `PageNotFound`, `Conflict`,
    `PageExists`, `InvalidPageName`.
    """
    row = snapshot.page(old)
    check_base(row, base, lambda: snapshot.text_of(row))
    if new == row.path:
        raise InvalidPageName("The new name is the same as the old one.")
    _check_free(snapshot, row, new)
    left = redirect_left(row.path, new) if redirect else None
    texts = _relinked(snapshot, row, new)  # by old file, (before, after)
    before, after = texts.pop(row.file)
    texts.pop(file_of(new), None)  # a redirect to the page, in whose place it comes
    files: dict[str, bytes | trees.Entry | None] = {file: text for file, (_, text) in texts.items()}
    files[row.file] = left
    files[file_of(new)] = after
    for filename, entry in snapshot.attachments(row.path).items():
        files[f"{row.path}/{filename}"] = None
        files[f"{new}/{filename}"] = entry
    updated = sorted(file.removesuffix(".md") for file in texts)

    def diff() -> str:
        moved = unified_diff(file_of(new), before, after)
        return moved + "".join(unified_diff(file, *change) for file, change in sorted(texts.items()))

    return Plan(
        files,
        message or f"[api] Rename: {row.path} -> {new}",
        lambda done: Renamed(row.path, new, done.head, updated, left is not None, diff()),
    )


def redirect_left(old: str, new: str) -> bytes | None:
    """The page that stays at the name of one that moved; None where both names mean the same page."""
    return redirect_text(new).encode() if page_key(new) != page_key(old) else None


def leads_to(row: query.PageRow, name: str) -> bool:
    """Whether a page stands for the page of that name, which may then come in its place."""
    return row.redirect is not None and page_key(row.redirect) == page_key(name)


def redirects_left_for(snapshot: Snapshot, name: str) -> list[query.PageRow]:
    """The pages that renames left behind and that lead to the page of this name."""

    def look_up(connection: Connection) -> list[query.PageRow | None]:
        return [query.find_page(connection, path) for path in _redirects_to(connection, page_key(name))]

    rows = [row for row in snapshot.ask(look_up) if row is not None]
    return [row for row in rows if was_left(row, snapshot.repository.read_blob(row.blob))]


def was_left(row: query.PageRow, data: bytes) -> bool:
    """Whether a page with these bytes was left behind by a rename, and not changed by anybody since."""
    return row.redirect is not None and data == redirect_text(row.redirect).encode()


def redirect_of(data: bytes) -> str | None:
    """Where a page with these bytes leads, if a rename left it behind; None for any other page."""
    if len(data) > _MAX_REDIRECT_BYTES:
        return None
    target = target_of(split_frontmatter(data.decode("utf-8", "replace"))[0])
    return target if target is not None and data == redirect_text(target).encode() else None


def source_of(repository: Repository, changes: Mapping[str, trees.FileChange], file: str) -> str | None:
    """The file that a commit with these changes moved to `file`, if any: the same text, but for links to itself.

    Nothing was at `file` before, or a redirect.
    """
    made = changes.get(file)
    new_name = name_of_file(file)
    if made is None or made.new is None or new_name is None:
        return None
    if made.old is not None and redirect_of(repository.read_blob(made.old[1].hex())) is None:
        return None
    candidates = {
        path: change.old
        for path, change in changes.items()
        if change.old and change.old[0] == made.new[0] and path != file
    }
    same = next((path for path, entry in candidates.items() if entry[1] == made.new[1]), None)
    if same is not None or len(changes) > _MAX_COMPARED:
        return same
    text = _read(repository, made.new)
    for path, entry in candidates.items():
        old_name = name_of_file(path)
        if old_name is not None and _retargeted(_read(repository, entry), old_name, new_name) == text:
            return path
    return None


def _retargeted(text: str, old: str, new: str) -> str:
    key = page_key(old)
    return retarget_links(text, lambda target: page_key(target) == key, new)


def _read(repository: Repository, entry: trees.Entry) -> str:
    return repository.read_blob(entry[1].hex()).decode("utf-8", "replace")


def _check_free(snapshot: Snapshot, row: query.PageRow, new: str) -> None:
    """Raise `PageExists` if a page or an attachment is in the way; a redirect to the page itself is not."""
    there = snapshot.find_page(new)
    if there is not None and there.path != row.path and (there.path != new or not leads_to(there, row.path)):
        raise PageExists(f"{there.path} exists already; choose another name, or remove that page first.")
    in_the_way = snapshot.attachments(new).keys() & snapshot.attachments(row.path).keys()
    if in_the_way:
        raise PageExists(f"Files of another page are in the way: {', '.join(sorted(in_the_way))}.")


def _relinked(snapshot: Snapshot, row: query.PageRow, new: str) -> dict[str, tuple[bytes, bytes]]:
    """The page and the pages that link to it, by file: their bytes, and those with the links rewritten."""

    def look_up(connection: Connection) -> tuple[list[query.PageRow], list[str], set[str]]:
        key = page_key(row.path)
        redirects = _redirects_to(connection, key)
        paths = dict.fromkeys([*query.links_to(connection, row.path), *redirects])
        sources = (query.find_page(connection, path) for path in paths)
        found = connection.execute("SELECT DISTINCT target FROM link WHERE key = ?", (key,))
        spelled = [target for (target,) in found]
        # Two pages may share a key (`On Call`, `On_Call`, made by git); a link means the one that it spells.
        meant = {target for target in spelled if (page := query.find_page(connection, target)) and page.id == row.id}
        return [source for source in sources if source], redirects, meant

    sources, redirects, targets = snapshot.ask(look_up)
    if not NO_LINK_HOLDS.isdisjoint(new):
        targets = set()
    changed: dict[str, tuple[bytes, bytes]] = {}
    for source in [*sources, row]:
        data = snapshot.repository.read_blob(source.blob)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            rewritten = data  # not ours to guess an encoding
        else:
            leads_here = source.path in redirects and was_left(source, data)
            retargeted = redirect_text(new) if leads_here else retarget_links(text, targets.__contains__, new)
            rewritten = retargeted.encode()
        if rewritten != data or source.id == row.id:
            changed[source.file] = (data, rewritten)
    return changed


def _redirects_to(connection: Connection, key: str) -> list[str]:
    return [path for (path,) in connection.execute("SELECT path FROM page WHERE redirect_key = ?", (key,))]
