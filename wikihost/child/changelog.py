"""The changelog shows a hundred commits, and stock describes all of them for it."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]


def describe_shown_commits_only(storage: Any) -> None:
    """Change Otter Wiki's class `Changelog` where it stands; its feeds stay as they are, they hold all commits."""
    from otterwiki import wiki  # noqa: PLC0415  (importing it before the server would start a wiki)

    describe_all = wiki.Changelog.get

    def get(self: Any, _external: bool = False) -> list[Entry]:
        ids = None if _external else storage.commit_ids()
        if not ids:
            return describe_all(self, _external)  # type: ignore[no-any-return]
        # Of the others only the revision is looked at, for links to their pages.
        entries: list[Entry] = [{"revision": commit[:6]} for commit in ids]
        start = next(
            (at for at, entry in enumerate(entries) if self.commit_start in (None, entry["revision"])), len(ids)
        )
        shown = ids[start : start + self.commit_count + 1]
        described = storage.log_of(shown)
        if described is None or len(described) != len(shown):  # the branch was set back meanwhile
            return describe_all(self)  # type: ignore[no-any-return]
        entries[start : start + len(shown)] = [_with_links(entry) for entry in described]
        return entries

    def _with_links(entry: Entry) -> Entry:
        links = {file: wiki.auto_url(file, entry["revision"]) for file in entry["files"]}
        files = {
            file: {"name": name, "url": url, "mimetype": wiki.guess_mimetype(file)}
            for file, (name, url) in links.items()
        }
        return {**entry, "files": files}

    wiki.Changelog.get = get
