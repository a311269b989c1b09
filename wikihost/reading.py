"""A page as it is told to those who read it: as it is now, or as it was."""

from __future__ import annotations

from sqlite3 import Connection

from wikihost import query
from wikihost.catalog import Catalog
from wikihost.markdown import page_title, split_frontmatter, wikilinks
from wikihost.names import file_of
from wikihost.plans import page_not_found
from wikihost.repo import Repository
from wikihost.values import Commit, Page


def read_page(repository: Repository, catalog: Catalog, name: str, *, follow_redirect: bool) -> Page:
    """The page that a canonical name means. Raises `PageNotFound`."""

    def look_up(connection: Connection) -> tuple[str, query.PageRow, list[str], list[str], list[Commit]]:
        asked = query.find_page(connection, name)
        if asked is None:
            raise page_not_found(name)
        row = query.page_meant(connection, asked) if follow_redirect else asked
        last = query.history(connection, row.file, 1)
        links = query.links_of(connection, row.id)
        return asked.path, row, links, query.linked_from(connection, row.path), last

    asked, row, links_to, linked_from, last = catalog.read(look_up)
    return Page(
        path=row.path,
        title=row.title,
        text=repository.read_blob(row.blob).decode("utf-8", "replace"),
        frontmatter=row.frontmatter,
        links_to=links_to,
        linked_from=linked_from,
        last_commit=last[0],
        redirected_from=asked if asked != row.path else None,
    )


def read_page_at(repository: Repository, catalog: Catalog, name: str, commit: str) -> Page:
    """The page of a canonical name as it was at a commit. Raises `PageNotFound`."""
    row = catalog.read(lambda connection: query.find_page(connection, name))
    path = row.path if row else name
    blob = repository.blob_of(commit, file_of(path))
    if blob is None:
        raise page_not_found(name, commit)
    text = repository.read_blob(blob).decode("utf-8", "replace")
    frontmatter, body = split_frontmatter(text)

    def look_up(connection: Connection) -> tuple[list[str], list[str], list[Commit]]:
        links = query.resolve_links(connection, wikilinks(body))
        last = query.history(connection, file_of(path), 1, up_to=commit)
        return links, query.linked_from(connection, path), last

    links_to, linked_from, last = catalog.read(look_up)
    if not last:
        raise page_not_found(name, commit)
    return Page(path, page_title(path, frontmatter), text, frontmatter, links_to, linked_from, last[0])
