#!/usr/bin/env python3
"""Make a realistic git wiki, the same every time for the same seed.

    python make_wiki.py OUT --pages 76                       # about 590 (584) search chunks
    python make_wiki.py OUT --pages 1000 --commits 5000      # deep history

OUT becomes an ordinary (non-bare) git repository of Markdown pages: YAML front
matter, nested headings, prose, lists, fenced code, tables and [[wikilinks]],
filed under a few top-level folders.  The text is real English and real code: it
is taken from the documentation strings, the language reference (pydoc topics)
and the function bodies of the Python that runs this script, so nothing has to
be downloaded and one Python release always gives the same wiki.

Commit objects come from `git fast-import` with fixed authors and dates, so the
hash of HEAD is a checksum of the whole result; it is printed at the end.

Standard library and git only.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import itertools
import json
import pathlib
import random
import re
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

FOLDERS = {  # folder -> share of the pages
    "": 0.08,
    "Dev": 0.22,
    "Guides": 0.18,
    "Reference": 0.22,
    "Tasks": 0.14,
    "Notes/2026": 0.10,
    "Projects/Harbour": 0.06,
}
CATEGORIES = ("reference", "guide", "log", "decision", "task")
TAGS = ("dev", "ops", "vps", "progress", "search", "auth", "mcp", "storage", "ui", "testing")
CONFIDENCE = ("high", "medium", "low")
AUTHORS = (  # name, mail, weight: a wiki for people and their agents
    ("Ada Ferry", "ada@wiki.example", 3),
    ("Grey Lindqvist", "grey@wiki.example", 2),
    ("Igor Manna", "igor@wiki.example", 1),
    ("Claude (MCP)", "claude-mcp@wiki.example", 4),
)
EPOCH = datetime.datetime(2025, 1, 6, 8, 0, tzinfo=datetime.UTC)
SMALL, LARGE = "Reference/Small_Page", "Reference/Large_Page"


# ---------------------------------------------------------------- the corpus


@dataclass
class Corpus:
    paragraphs: list[str]
    snippets: list[str]
    facts: list[tuple[str, str, str]]  # (name, module, one-line summary)


def _paragraphs(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", textwrap.dedent(text)):
        if ">>>" in block or "|" in block or "[[" in block:
            continue
        words = block.split()
        letters = sum(c.isalpha() or c == " " for c in block)
        if 18 <= len(words) <= 140 and letters > 0.82 * len(block):
            para = " ".join(words)
            if para[0].isupper() and para[-1] in ".:!?":
                yield para.rstrip(":") + ("." if para.endswith(":") else "")


def load_corpus() -> Corpus:
    lib = pathlib.Path(sysconfig.get_path("stdlib"))
    paras: dict[str, None] = {}  # a dict keeps order and drops repeats
    snippets: dict[str, None] = {}
    facts: dict[tuple[str, str, str], None] = {}

    topics = topics_of(lib)
    for name in sorted(topics):
        for para in _paragraphs(topics[name]):
            paras.setdefault(para)

    skip = {"test", "tests", "idlelib", "lib2to3", "site-packages", "pydoc_data", "turtledemo"}
    for path in sorted(lib.rglob("*.py")):
        rel = path.relative_to(lib)
        if skip.intersection(rel.parts):
            continue
        try:
            source = path.read_text("utf-8")
            tree = ast.parse(source)
        except (UnicodeDecodeError, SyntaxError):
            continue
        lines = source.splitlines()
        module = ".".join(rel.with_suffix("").parts)
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            doc = ast.get_docstring(node)
            if not doc:
                continue
            for para in _paragraphs(doc):
                paras.setdefault(para)
            if isinstance(node, ast.Module):
                continue
            first = " ".join(doc.split("\n\n")[0].split())
            if 20 <= len(first) <= 110 and "|" not in first and not node.name.startswith("_"):
                facts.setdefault((node.name, module, first))
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if not isinstance(node, ast.ClassDef) and 5 <= length <= 22:
                body = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
                if "```" not in body:
                    snippets.setdefault(body)
    return Corpus(list(paras), list(snippets), list(facts))


def topics_of(lib: pathlib.Path) -> dict[str, str]:
    """The language reference that `help('topic')` shows, without importing it."""
    path = lib / "pydoc_data" / "topics.py"
    if not path.exists():
        return {}
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "topics":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    return {}


# ----------------------------------------------------------------- the pages


def title_of(para: str, rng: random.Random, words: int) -> str:
    """A heading out of a sentence: its longest plain words, in their order."""
    plain = list(dict.fromkeys(re.findall(r"[a-z]{4,}", para.lower())))
    if len(plain) < words:
        plain += rng.sample(["Notes", "Overview", "Details", "Design", "Status"], 3)
    keep = sorted(sorted(range(len(plain)), key=lambda i: (-len(plain[i]), i))[:words])
    return " ".join(plain[i].capitalize() for i in keep)


@dataclass
class Section:
    level: int
    title: str
    blocks: list[str]

    def render(self) -> str:
        return "#" * self.level + f" {self.title}\n\n" + "\n\n".join(self.blocks)


@dataclass
class Page:
    path: str
    category: str
    tags: list[str]
    confidence: str
    updated: str
    intro: str
    sections: list[Section]
    log: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.path.rsplit("/", 1)[-1].replace("_", " ")

    def render(self) -> str:
        head = (
            f"---\ncategory: {self.category}\ntags: [{', '.join(self.tags)}]\n"
            f"last_updated: {self.updated}\nconfidence: {self.confidence}\n---\n\n"
        )
        parts = [f"# {self.title}", self.intro, *(s.render() for s in self.sections)]
        if self.log:
            parts.append("## Log\n\n" + "\n".join(self.log))
        return head + "\n\n".join(parts) + "\n"


class Maker:
    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.rng = random.Random(seed)
        self.paths: list[str] = []

    def link(self) -> str:
        path = self.rng.choice(self.paths)
        if self.rng.random() < 0.25:
            return f"[[{path.rsplit('/', 1)[-1].replace('_', ' ')}|{path}]]"
        return f"[[{path}]]"

    def prose(self) -> str:
        rng = self.rng
        para = rng.choice(self.corpus.paragraphs)
        if rng.random() < 0.22:
            para += f" See also {self.link()}."
        if rng.random() < 0.15:
            words = para.split()
            at = rng.randrange(len(words))
            words[at] = f"**{words[at].strip('*`')}**"
            para = " ".join(words)
        return para

    def code(self) -> str:
        return "```python\n" + self.rng.choice(self.corpus.snippets) + "\n```"

    def table(self) -> str:
        rows = self.rng.sample(self.corpus.facts, self.rng.randint(3, 7))
        body = "\n".join(f"| `{name}` | {module} | {text} |" for name, module, text in rows)
        return "| Name | Module | What it does |\n|---|---|---|\n" + body

    def bullets(self) -> str:
        rows = self.rng.sample(self.corpus.facts, self.rng.randint(3, 6))
        return "\n".join(f"- **{name}** ({module}): {text}" for name, module, text in rows)

    def section(self, level: int, words: int) -> Section:
        blocks: list[str] = []
        count = 0
        while count < words:
            roll = self.rng.random()
            if blocks and roll < 0.09:
                block = self.code()
            elif blocks and roll < 0.15:
                block = self.table()
            elif blocks and roll < 0.25:
                block = self.bullets()
            else:
                block = self.prose()
            blocks.append(block)
            count += len(block.split())
        return Section(level, title_of(blocks[0], self.rng, self.rng.randint(2, 4)), blocks)

    def page(self, path: str, sections: int) -> Page:
        rng = self.rng
        made = []
        for number in range(sections):
            level = 2 if number == 0 or rng.random() < 0.6 else 3
            made.append(self.section(level, rng.randint(60, 240)))
        day = EPOCH + datetime.timedelta(days=rng.randrange(400))
        intro = f"{self.prose()} Related: {self.link()}, {self.link()}."
        return Page(
            path,
            rng.choice(CATEGORIES),
            rng.sample(TAGS, rng.randint(1, 4)),
            rng.choice(CONFIDENCE),
            day.date().isoformat(),
            intro,
            made,
        )

    def name_pages(self, count: int) -> None:
        rng = self.rng
        taken = {"Home", SMALL, LARGE}
        self.paths = list(sorted(taken))
        folders, weights = list(FOLDERS), list(FOLDERS.values())
        while len(self.paths) < count:
            folder = rng.choices(folders, weights)[0]
            name = title_of(rng.choice(self.corpus.paragraphs), rng, rng.randint(2, 4)).replace(" ", "_")
            path = f"{folder}/{name}" if folder else name
            if path not in taken:
                taken.add(path)
                self.paths.append(path)

    def make(self, count: int, mean_sections: float) -> list[Page]:
        self.name_pages(count)
        pages = []
        for path in self.paths:
            if path == SMALL:
                page = self.page(path, 1)
                page.sections[0].blocks = page.sections[0].blocks[:1]
            elif path == LARGE:
                page = self.page(path, 60)
            else:
                # log-normal: most pages are short, a few are long
                page = self.page(path, max(1, min(40, round(self.rng.lognormvariate(0, 0.6) * mean_sections))))
            pages.append(page)
        home = next(p for p in pages if p.path == "Home")
        index = "\n".join(f"- [[{p}]]" for p in self.rng.sample(self.paths, min(40, len(self.paths))))
        home.sections.append(Section(2, "Index", [index]))
        return pages

    def edit(self, page: Page, when: datetime.datetime) -> str:
        """Change the page a little, as people and agents do; return the message."""
        rng = self.rng
        page.updated = when.date().isoformat()
        section = rng.choice(page.sections)
        roll = rng.random()
        if roll < 0.45:
            section.blocks[rng.randrange(len(section.blocks))] = self.prose()
            return f"Rework {section.title}"
        if roll < 0.65 and len(section.blocks) < 9:
            section.blocks.append(self.bullets() if rng.random() < 0.4 else self.prose())
            return f"Add to {section.title}"
        if roll < 0.75 and len(section.blocks) > 2:
            section.blocks.pop()
            return f"Trim {section.title}"
        page.log.append(f"- {page.updated}: {rng.choice(self.corpus.facts)[2]} {self.link()}")
        del page.log[:-12]
        return "Log entry"


# ------------------------------------------------------------------ the repo


def fast_import(out: pathlib.Path, maker: Maker, pages: list[Page], commits: int) -> str:
    rng = maker.rng
    subprocess.run(["git", "init", "-q", "-b", "main", str(out)], check=True)
    git = subprocess.Popen(["git", "-C", str(out), "fast-import", "--quiet"], stdin=subprocess.PIPE)
    assert git.stdin is not None
    send = git.stdin.write
    weights = [a[2] for a in AUTHORS]
    clock = EPOCH

    def commit(message: str, changed: list[Page]) -> None:
        nonlocal clock
        clock += datetime.timedelta(seconds=rng.randint(60, 9000))
        name, mail, _ = rng.choices(AUTHORS, weights)[0]
        stamp = f"{name} <{mail}> {int(clock.timestamp())} +0000".encode()
        text = message.encode()
        send(b"commit refs/heads/main\nauthor " + stamp + b"\ncommitter " + stamp)
        send(b"\ndata %d\n" % len(text) + text + b"\n")
        for page in changed:
            body = page.render().encode()
            send(f"M 100644 inline {page.path}.md\ndata {len(body)}\n".encode() + body + b"\n")

    todo = max(1, commits or len(pages))
    batch = max(1, -(-len(pages) // todo))
    groups = [pages[i : i + batch] for i in range(0, len(pages), batch)]
    for group in groups:
        commit(f"Create: {group[0].path}" if len(group) == 1 else f"Import {len(group)} pages", group)
    # Edits favour a few busy pages (Zipf), as in a real wiki.
    cumulative = list(itertools.accumulate(1 / (1 + i) ** 0.7 for i in range(len(pages))))
    order = rng.sample(pages, len(pages))
    for _ in range(max(0, todo - len(groups))):
        page = rng.choices(order, cum_weights=cumulative)[0]
        commit(maker.edit(page, clock), [page])
    git.stdin.close()
    if git.wait():
        raise SystemExit("git fast-import failed")
    run = ["git", "-C", str(out)]
    subprocess.run([*run, "reset", "-q", "--hard", "main"], check=True)
    return subprocess.run([*run, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("out", type=pathlib.Path)
    ap.add_argument("--pages", type=int, default=76)
    ap.add_argument("--commits", type=int, default=0, help="default: one a page")
    ap.add_argument("--sections", type=float, default=5.4, help="typical sections a page")
    ap.add_argument("--seed", type=int, default=20260317)
    args = ap.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        ap.error(f"{args.out} is not empty")
    if args.pages < 4:
        ap.error("--pages must be at least 4")
    maker = Maker(load_corpus(), args.seed)
    pages = maker.make(args.pages, args.sections)
    head = fast_import(args.out, maker, pages, args.commits)
    size = sum(len(p.render().encode()) for p in pages)
    json.dump(
        {
            "pages": len(pages),
            "commits": max(args.commits, len(pages)) if args.commits else len(pages),
            "bytes": size,
            "words": sum(len(p.render().split()) for p in pages),
            "small": SMALL,
            "large": LARGE,
            "head": head,
            "corpus": {
                "paragraphs": len(maker.corpus.paragraphs),
                "snippets": len(maker.corpus.snippets),
                "facts": len(maker.corpus.facts),
            },
            "python": sys.version.split()[0],
        },
        sys.stdout,
        indent=1,
    )
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
