"""A wiki as a static site: every page, every file, an index; opened from a disk, without a server or a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files as package_files

from wikihost import trees
from wikihost.exports.files import head_time
from wikihost.exports.layout import Layout, lay_out, relative
from wikihost.exports.rendering import PageRenderer
from wikihost.markdown import outline
from wikihost.names import is_safe_path, name_of_file
from wikihost.plans import Snapshot

INDEX = "index.html"
STYLE = "style.css"

# Pages hold no script; this says so to the browser too, whatever a page's text may have become.
_POLICY = "script-src 'none'; object-src 'none'; frame-src 'none'; base-uri 'none'; form-action 'none'"

_Branch = dict[str, "_Branch"]  # names by folder


@dataclass(frozen=True, slots=True)
class _Site:
    """What every page of the site shows."""

    name: str
    changed: datetime
    layout: Layout

    def page(self, path: str, title: str, crumbs: str, main: str) -> bytes:
        """A whole HTML page at the site path; `crumbs` and `main` are HTML already."""
        index, style = relative(path, INDEX), relative(path, STYLE)
        name = escape(self.name)
        whole_title = name if title == self.name else f"{escape(title)} – {name}"
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{whole_title}</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<header><p><a href="{index}">{name}</a></p>{crumbs}</header>
<main>
{main}</main>
<footer><p>As of <time datetime="{self.changed.isoformat()}">{self.changed:%d %b %Y, %H:%M} UTC</time></p></footer>
</body>
</html>
""".encode("utf-8", "replace")


def site_files(snapshot: Snapshot, name: str) -> Iterator[tuple[str, bytes]]:
    """The files of the site, by site path, one after the other; `name` is the wiki's. Raises `StorageFailed`."""
    repository = snapshot.repository
    entries = {
        path: oid.hex()
        for path, (mode, oid) in repository.files(snapshot.head)
        if mode in (trees.FILE, trees.EXECUTABLE) and is_safe_path(path) and path.isprintable()
    }
    pages = {page: path for path in entries if (page := name_of_file(path)) is not None}
    attached = [path for path in entries if name_of_file(path) is None and not _is_hidden(path)]
    site = _Site(name, head_time(snapshot), lay_out(pages, attached))
    yield STYLE, (package_files("wikihost.exports") / "site.css").read_bytes()
    yield INDEX, site.page(INDEX, name, "", _index(site, sorted(pages)))
    renderer = PageRenderer()
    for page, path in sorted(pages.items()):
        text = repository.read_blob(entries[path]).decode("utf-8", "replace")
        yield site.layout.pages[page], _page(site, renderer, page, text)
    for path in attached:
        yield site.layout.files[path], repository.read_blob(entries[path])


def _page(site: _Site, renderer: PageRenderer, name: str, text: str) -> bytes:
    place = site.layout.pages[name]
    page = outline(name, text)

    def resolve(target: str) -> str | None:
        found = site.layout.files.get(target) or site.layout.find_page(target.removesuffix(".md").rstrip("/"))
        return None if found is None else relative(place, found)

    body = renderer.render(page.body, name, resolve)
    tags = f'<p class="tags">{escape(", ".join(page.tags))}</p>\n' if page.tags else ""
    heading = "" if "<h1" in body else f"<h1>{escape(page.title)}</h1>\n"
    return site.page(place, page.title, _crumbs(site, place, name), f"{heading}{tags}{body}")


def _crumbs(site: _Site, place: str, name: str) -> str:
    """The way to a page: its folders, as links where they are pages."""
    parts = name.split("/")
    steps = []
    for depth in range(1, len(parts) + 1):
        page = site.layout.pages.get("/".join(parts[:depth]))
        shown = escape(parts[depth - 1])
        here = depth == len(parts)
        steps.append(f'<a href="{relative(place, page)}">{shown}</a>' if page and not here else f"<span>{shown}</span>")
    return f'<nav aria-label="Where you are">{" / ".join(steps)}</nav>'


def _index(site: _Site, names: Sequence[str]) -> str:
    """All pages as nested lists, one level for each folder."""
    lines = [f"<h1>{escape(site.name)}</h1>"]
    if (home := site.layout.find_page("Home")) is not None:
        lines.append(f'<p><a class="home" href="{relative(INDEX, home)}">Home</a></p>')
    tree: _Branch = {}
    for name in names:
        branch = tree
        for part in name.split("/"):
            branch = branch.setdefault(part, {})
    lines += ["<h2>All pages</h2>", *_branch(site, tree, "")]
    return "\n".join([*lines, ""])


def _branch(site: _Site, tree: _Branch, above: str) -> Iterator[str]:
    yield "<ul>"
    for part, below in sorted(tree.items(), key=lambda item: (item[0].casefold(), item[0])):
        path = site.layout.pages.get(above + part)
        shown = escape(part)
        yield "<li>" + (f'<a href="{relative(INDEX, path)}">{shown}</a>' if path else shown)
        if below:
            yield from _branch(site, below, f"{above}{part}/")
        yield "</li>"
    yield "</ul>"


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))
