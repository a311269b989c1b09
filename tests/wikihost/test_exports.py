"""What is given away: a zip as the work tree is, and a static site whose every link leads somewhere."""

from __future__ import annotations

import io
import posixpath
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.names_corpus import LEGAL
from tests.wikihost.wikis import ADA, git, make_wiki
from wikihost.content import Content
from wikihost.exports.archives import zip_pieces
from wikihost.exports.files import head_time, wiki_files
from wikihost.exports.layout import lay_out, relative
from wikihost.exports.rendering import PageRenderer
from wikihost.exports.site import site_files

NOON = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)

PAGES = {
    "Home": "---\ntitle: The <Start>\ntags: [a, b]\n---\n# Hi\n\n[[A/Page]] [[shown|A/Page#Top]] [[On_Call]]"
    " [[Missing]] ![x](./pic.png?width=120) ![y](/A/Page/other.png) [z](/A/Page#top) [w](A/Page)"
    " [out](https://example.org/)\n",
    "A/Page": "Up: [[Home]] [[#Top]]\n\n## Top\n\n## Top\n\n{{Include|src=/Home}}\n\n> [!NOTE]\n> careful\n\n"
    "- [x] done\n- [ ] open\n",
    "On Call": "text",
    "C# notes": "[[Why?]] [[100%25]]",
    "Why?": "x",
    "100%25": "x",
    "home": "small",
    "Städte/Zürich": "[x](/C%23%20notes)",
    'quo"te <b>': "x",
    "hostile": "<script>alert(1)</script> <img src=x onerror=alert(1)> [a](javascript:alert(1)) [[<b>|Home]]"
    ' ![x](data:text/html,x) [b]( "\\"><script>")\n\n<style>*{display:none}</style>\n',
}


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    content = Content(make_wiki(tmp_path / "wiki", PAGES))
    content.write_attachment("Home", "pic.png", b"\x89PNG", author=ADA)
    content.write_attachment("A/Page", "other.png", b"\x89PNG2", author=ADA)
    yield content
    content.close()


def test_a_zip_of_the_work_tree(content: Content, tmp_path: Path) -> None:
    with content.snapshot() as snapshot:
        data = b"".join(zip_pieces(wiki_files(snapshot), head_time(snapshot)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    root = tmp_path / "wiki" / "repo"
    there = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert found == {name: data for name, data in there.items() if not name.startswith(".git/")}
    # Debian's own unzip reads it as well.
    (tmp_path / "a.zip").write_bytes(data)
    subprocess.run([sys.executable, "-m", "zipfile", "-t", str(tmp_path / "a.zip")], check=True, capture_output=True)


def test_a_zip_of_much_costs_little_memory() -> None:
    code = (
        "import os, resource; from datetime import datetime, UTC; from wikihost.exports.archives import zip_pieces\n"
        "block = os.urandom(1 << 20)\n"
        "files = ((f'{n}.png', block * 4) for n in range(30))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "total = sum(len(piece) for piece in zip_pieces(files, datetime.now(UTC)))\n"
        "assert total > 0 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_000\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


class _Seen(HTMLParser):
    """All that a page leads to, its ids, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name.startswith("on") or name == "style":
                self.handlers.append(name)


def test_every_link_of_the_site_leads_to_a_file_of_it(content: Content) -> None:
    with content.snapshot() as snapshot:
        site = dict(site_files(snapshot, "My <Wiki>"))
    pages = {path: _Seen(data.decode()) for path, data in site.items() if path.endswith(".html")}
    assert len(pages) == len(PAGES) + 1
    for path, seen in pages.items():
        for link in seen.links:
            if link.startswith("https://example.org") or (path == "pages/hostile.html" and link == "data:text/html,x"):
                continue
            file, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(file))) if file else path
            assert target in site, f"{path} links to {link}"
            assert not anchor or anchor in pages[target].ids, f"{path} links to {link}"
    home = site["pages/Home.html"].decode()
    assert '<a href="A/Page.html#top">shown</a>' in home
    assert '<a href="On%20Call.html">On_Call</a>' in home
    assert '<span class="missing">Missing</span>' in home
    assert 'src="../files/Home/pic.png" alt="x" width="120"' in home
    assert "<title>The &lt;Start&gt; – My &lt;Wiki&gt;</title>" in home
    page = site["pages/A/Page.html"].decode()
    assert pages["pages/A/Page.html"].ids == ["top", "top-1"]
    assert '<blockquote class="alert">' in page
    assert "☑ done" in page
    assert set(site) >= {"pages/home 2.html", "pages/Why_.html", "pages/C# notes.html", "files/A/Page/other.png"}


def test_no_page_of_the_site_holds_a_script(content: Content) -> None:
    with content.snapshot() as snapshot:
        for path, data in site_files(snapshot, "W"):
            if not path.endswith(".html"):
                continue
            seen = _Seen(data.decode())
            assert not seen.tags & {"script", "style", "iframe", "object", "form", "base"}, path
            assert not seen.handlers, path
            assert not any(link.lower().startswith("javascript:") for link in seen.links), path
            assert "script-src &#x27;none&#x27;" in data.decode()


def test_git_agrees_that_the_zip_has_all_files(content: Content, tmp_path: Path) -> None:
    home = make_wiki(tmp_path / "other", {"a/b": "x", "ü": "y"})
    other = Content(home)
    with other.snapshot() as snapshot:
        assert sorted(path for path, _ in wiki_files(snapshot)) == git(home, "ls-files").splitlines()
    other.close()


names = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


@settings(max_examples=60)
@given(st.lists(names, max_size=12, unique=True), st.lists(names, max_size=6, unique=True))
def test_every_file_system_can_hold_the_site(pages: list[str], files: list[str]) -> None:
    layout = lay_out(pages, files)
    paths = [*layout.pages.values(), *layout.files.values()]
    folded = {path.casefold() for path in paths}
    assert len(folded) == len(paths) == len(pages) + len(files)
    for path in paths:
        assert not re.search(r'[<>:"\\|?*]', path)
        parts = path.casefold().split("/")
        assert not any("/".join(parts[:depth]) in folded for depth in range(1, len(parts)))


def test_folders_and_files_of_one_name_stay_apart() -> None:
    layout = lay_out(["A", "A.html/B", "a"], ["x", "x/y", "y/Z.png", "y.d"])
    assert layout.pages == {"A": "pages/A.html", "A.html/B": "pages/A.html 2/B.html", "a": "pages/a 2.html"}
    assert layout.files == {"x": "files/x", "x/y": "files/x 2/y", "y/Z.png": "files/y/Z.png", "y.d": "files/y.d"}


def test_addresses_between_places() -> None:
    assert relative("pages/A/B.html", "pages/C D.html") == "../C%20D.html"
    assert relative("index.html", "pages/C.html") == "pages/C.html"
    assert relative("pages/A.html", "files/100%.png") == "../files/100%25.png"


@settings(max_examples=60)
@given(st.text(alphabet="[](){}<>!|#`*_~-= \n>x/.:&\"'", max_size=150))
def test_any_text_is_rendered_and_makes_no_script(text: str) -> None:
    html = PageRenderer().render(text, "Page", lambda target: None)
    seen = _Seen(html)
    assert "script" not in seen.tags
    assert not seen.handlers


def test_every_legal_name_can_be_written_to_a_disk(tmp_path: Path) -> None:
    content = Content(make_wiki(tmp_path / "wiki", {name: "x" for name in LEGAL}))
    content.write_attachment("Home", "x" * 251 + ".png", b"x", author=ADA)
    content.write_attachment("Home", "y." + "y" * 250, b"x", author=ADA)
    with content.snapshot() as snapshot:
        site = list(site_files(snapshot, "W"))
    content.close()
    for path, data in site:
        place = tmp_path / "site" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(data)
    assert len(site) == len(LEGAL) + 4


def test_long_names_that_begin_alike_stay_apart() -> None:
    names = [f"{'ü' * 125}{number}" for number in range(12)]
    layout = lay_out(names, [f"{name}/{name}.png" for name in names])
    paths = [*layout.pages.values(), *layout.files.values()]
    assert len(set(paths)) == 24
    assert max(len(part.encode()) for path in paths for part in path.split("/")) <= 255
    assert all(path.endswith(".png") for path in layout.files.values())
