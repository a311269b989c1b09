"""The docstrings of Python's standard library as a wiki: a page for each module, a section for each name."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from bench.quality.documents import PageText, first_sentence, plain
from bench.quality.values import Collection, Place, Question, QuestionSet, in_chance_order, merged

SHORTEST_PAGE_WORDS, LONGEST_PAGE_CHARACTERS = 100, 20_000
SHORTEST_SENTENCE_WORDS = 5

_NOT_DOCUMENTATION = re.compile(r"/(?:site|dist)-packages/|/test|/idlelib/|/lib2to3/|/config-|/_|/turtledemo/")


def standard_library(most: int) -> Collection | None:
    """Two sets of questions: what a thing does, in the first sentence of its docstring; and its bare name."""
    root = Path(sysconfig.get_path("stdlib"))
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts): file
        for file in root.glob("**/*.py")
        if not _NOT_DOCUMENTATION.search(f"/{file.relative_to(root)}")
    }
    pages: dict[str, str] = {}
    described, named = list[Question](), list[Question]()
    for module in in_chance_order(files):
        documented = list(_documented(ast.parse(files[module].read_bytes())))
        docs = [doc for _, _, doc in documented]
        if sum(len(doc.split()) for doc in docs) < SHORTEST_PAGE_WORDS or sum(map(len, docs)) > LONGEST_PAGE_CHARACTERS:
            continue
        page = f"Library/{module}"
        pages[page] = _module_page(page, documented, described, named)
        if len(pages) == most:
            break
    sets = (
        QuestionSet("docs", "what a function does → its documentation", "that sentence", "en", merged(described)),
        QuestionSet(
            "ident", "a name of the library → what defines it", "nothing", "en", merged(named), asks_names=True
        ),
    )
    return Collection("library", pages, sets) if pages else None


def _module_page(
    page: str, documented: list[tuple[str, str, str]], described: list[Question], named: list[Question]
) -> str:
    text = PageText()
    for name, heading, doc in documented:
        if not name:
            text.add(plain(doc))
            continue
        said, rest = first_sentence(doc)
        asks = min(len(said.split()), len(rest.split())) >= SHORTEST_SENTENCE_WORDS
        text.add(f"## {heading}")
        place = frozenset({Place(page, text.add(plain(rest if asks else doc)))})
        if asks:
            described.append(Question(" ".join(said.split()), place))
        if len(name) > 5:
            named.append(Question(name, place))
    return str(text)


def _documented(module: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Names, headings and docstrings of the module (whose name is empty), its classes, functions and methods."""
    if doc := ast.get_docstring(module):
        yield "", "", doc
    for node in module.body:
        yield from _documented_in(node, "")
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                yield from _documented_in(inner, f"{node.name}.")


def _documented_in(node: ast.stmt, inside: str) -> Iterator[tuple[str, str, str]]:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return
    arguments = "" if isinstance(node, ast.ClassDef) else f"({ast.unparse(node.args)})"
    if doc := ast.get_docstring(node):
        yield node.name, f"{inside}{node.name}{arguments}", doc
