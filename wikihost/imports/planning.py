"""All that an import would do, decided before anything is written.

A source is read twice: first to see what each page uses and what each file is, then, once everything has its place,
to rewrite the pages one after the other. So memory holds one file at a time, and a dry run is the same without the
writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from wikihost import trees
from wikihost.imports.links import Kind, address_of, find_links, parse_address
from wikihost.imports.naming import is_page
from wikihost.imports.otter import OtterLinks, OtterWiki
from wikihost.imports.placed import Placed
from wikihost.imports.placing import FilePlaces, Files, attach_files, keep_files, place_pages
from wikihost.imports.sources import Source, shown
from wikihost.imports.texts import read_text
from wikihost.imports.values import (
    Choices,
    Findings,
    LinkStyle,
    OnExisting,
    Progress,
    Refusal,
    Report,
    Unreadable,
)
from wikihost.imports.vault import Vault, VaultLinks, Wikilink
from wikihost.markdown import split_frontmatter
from wikihost.names import SUFFIX, file_of

_MAX_SAMPLED = 500  # pages that tell how links are written
_MAX_ALIASES = 50


class Target(Protocol):
    """The wiki as it is. `is_new`: nobody has written to it yet, so what it has gives way."""

    @property
    def is_new(self) -> bool: ...

    def find_page(self, name: str) -> str | None:
        """The stored name of the page that a name means."""

    def entry(self, path: str) -> trees.Entry | None:
        """What is at a repository path."""


@dataclass(slots=True)
class _Survey:
    """What reading the source once has shown, by source file."""

    pages: list[str] = field(default_factory=list)
    oids: dict[str, str] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    included: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    votes: dict[LinkStyle, int] = field(default_factory=lambda: dict.fromkeys(LinkStyle, 0))


class ImportPlan:
    """Decided when it is made; `changes` then gives what is to be written. Progress counts each file twice."""

    def __init__(self, source: Source, target: Target, choices: Choices, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._done = 0
        self._found = Findings(refused=list(source.refused))
        self._vault = Vault(source.files)
        self._wiki = OtterWiki(source.files)
        survey = self._look_at_everything()
        self.style = choices.style if choices.style is not LinkStyle.AUTO else _elect(survey.votes, source)
        self._existing = OnExisting.REPLACE if target.is_new else choices.existing
        self._pages = place_pages(survey.pages, target.find_page, self._existing)
        self._files = self._place_files(Files(survey.oids, survey.users))
        placed = Placed(self._pages.names, self._files.paths, frozenset(survey.included))
        self._links: VaultLinks | OtterLinks
        if self.style is LinkStyle.OBSIDIAN:
            self._links = VaultLinks(Vault(source.files, survey.aliases), placed)
        else:
            self._links = OtterLinks(self._wiki, placed)
        self._note_places()

    def changes(self) -> Iterator[tuple[str, bytes]]:
        """The files to write, pages first; the report is complete once all were taken."""
        used = _Paths(self._target)
        for source, name in self._pages.names.items():
            self._step()
            if source not in self._pages.skipped:
                yield from self._page_change(used, source, name)
        if self._files.unused:
            yield from self._list_unused(used)
        for source, path in self._files.paths.items():
            self._step()
            if source in self._files.same:
                continue
            problem = used.take(path)
            if problem is not None:
                self._refuse(source, problem)
                continue
            try:
                data = self._source.read(source)
            except Unreadable as error:
                self._refuse(source, str(error))
                continue
            self._found.attachments.append(path)
            yield path, data

    def report(self, *, revision: str = "", history: int = 0, no_room: str = "") -> Report:
        found = self._found
        return Report(
            style=self.style,
            created=found.created,
            replaced=found.replaced,
            unchanged=found.unchanged,
            skipped=found.skipped,
            attachments=found.attachments,
            renamed=found.renamed,
            refused=found.refused,
            hidden=[shown(name) for name in self._source.hidden],
            notes=found.notes,
            links=found.links,
            history=history,
            revision=revision,
            no_room=no_room,
        )

    def note(self, sentence: str) -> None:
        self._found.notes.append(sentence)

    def _look_at_everything(self) -> _Survey:
        survey = _Survey()
        for path in sorted(self._source.files):
            self._step()
            try:
                if is_page(path):
                    self._look_at_page(survey, path)
                else:
                    survey.oids[path] = trees.NewObject(b"blob", self._source.read(path)).digest().hex()
            except Unreadable as error:
                self._refuse(path, str(error))
        return survey

    def _look_at_page(self, survey: _Survey, path: str) -> None:
        found = read_text(self._source.read(path))
        if found.note is not None:
            self.note(f"{shown(path)}: {found.note}")
        survey.pages.append(path)
        for alias in _aliases(found.text):
            survey.aliases.setdefault(alias, path)
        for link in find_links(found.text):
            meant = self._meaning(survey, link.kind, link.inside, path)
            if meant is None:
                continue
            if not is_page(meant):
                users = survey.users.setdefault(meant, [])
                if users[-1:] != [path]:
                    users.append(path)
            elif link.kind is Kind.EMBED and meant != path:
                survey.included.add(meant)

    def _meaning(self, survey: _Survey, kind: Kind, inside: str, path: str) -> str | None:
        """What a link means as Obsidian reads it; and how it speaks for one style or the other."""
        votes = survey.votes if len(survey.pages) <= _MAX_SAMPLED else dict.fromkeys(LinkStyle, 0)
        if kind is Kind.ADDRESS:
            address = parse_address(inside)
            if address is None:
                return None
            meant = self._vault.find_address(address.path, path)
            as_otter = self._wiki.find_address(address.path, path)
            if as_otter:
                votes[LinkStyle.OTTER] += 1
            elif meant:
                votes[LinkStyle.OBSIDIAN] += 1
            return meant
        link = Wikilink.parse(inside)
        meant = self._vault.find(link.target, path)
        as_otter = self._wiki.find_page(inside.rpartition("|")[2].partition("#")[0])
        if kind is Kind.EMBED or (meant and not as_otter):
            votes[LinkStyle.OBSIDIAN] += 1
        elif as_otter and not meant:
            votes[LinkStyle.OTTER] += 1
        return meant

    def _place_files(self, files: Files) -> FilePlaces:
        def find(path: str) -> str | None:
            entry = self._target.entry(path)
            return None if entry is None else entry[1].hex()

        if self.style is LinkStyle.OBSIDIAN:
            return attach_files(files, self._pages, self._target.find_page, find, self._existing)
        return keep_files(files, self._pages, find, self._existing)

    def _note_places(self) -> None:
        found, files = self._found, self._files
        found.refused += [*self._pages.refused, *files.refused]
        found.renamed += [*self._pages.renamed, *files.renamed]
        found.skipped += sorted(self._pages.names[source] for source in self._pages.skipped)
        found.skipped += [shown(source) for source in files.skipped]
        found.unchanged += sorted(files.paths[source] for source in files.same)

    def _page_change(self, used: _Paths, source: str, name: str) -> Iterator[tuple[str, bytes]]:
        problem = used.take(file_of(name))
        if problem is not None:
            self._refuse(source, problem)
            return
        try:
            original = self._source.read(source)
            text = read_text(original).text
        except Unreadable as error:
            self._refuse(source, str(error))
            return
        rewritten, count = self._links.rewrite(text, source)
        keeps_bytes = self.style is LinkStyle.OTTER and count == 0
        data = original if keeps_bytes else rewritten.encode()
        there = self._target.entry(file_of(name))
        if there is not None and there[1] == trees.NewObject(b"blob", data).digest():
            self._found.unchanged.append(name)
            return
        self._found.links += count
        (self._found.created if there is None else self._found.replaced).append(name)
        yield file_of(name), data

    def _list_unused(self, used: _Paths) -> Iterator[tuple[str, bytes]]:
        """The page that shows what no page uses, so that somebody finds it."""
        name, count = self._files.unused_page, len(self._files.unused)
        there = self._target.entry(file_of(name))
        lines = [
            f"- [{source.rpartition('/')[2]}]({address_of(self._files.paths[source])})" for source in self._files.unused
        ]
        data = "\n".join(["No page that was imported shows these files or links to them.", "", *lines, ""]).encode()
        self.note(f"{count} {'file' if count == 1 else 'files'} that no page uses: attached to the page {name!r}.")
        if used.take(file_of(name)) is not None or (there and self._existing is OnExisting.SKIP):
            return
        if there is not None and there[1] == trees.NewObject(b"blob", data).digest():
            return
        (self._found.created if there is None else self._found.replaced).append(name)
        yield file_of(name), data

    def _refuse(self, path: str, reason: str) -> None:
        self._found.refused.append(Refusal(shown(path), reason))

    def _step(self) -> None:
        self._done += 1
        self._progress(min(self._done, 2 * len(self._source.files)), 2 * len(self._source.files))


class _Paths:
    """Sees that no file takes the place of a folder, nor a folder that of a file."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._files: set[str] = set()
        self._folders: dict[str, bool] = {}  # whether the wiki has a file in its place

    def take(self, path: str) -> str | None:
        """Keep this path for a file; or say why it cannot be."""
        parts = path.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        for folder in above:
            if folder not in self._folders:
                entry = self._target.entry(folder)
                self._folders[folder] = entry is not None and entry[0] != trees.DIRECTORY
            if self._folders[folder] or folder in self._files:
                return f"A file stands in the place of the folder {folder!r}."
        there = self._target.entry(path)
        if path in self._folders or (there is not None and there[0] == trees.DIRECTORY):
            return f"A folder stands in the place of {path!r}."
        self._files.add(path)
        return None


def _elect(votes: Mapping[LinkStyle, int], source: Source) -> LinkStyle:
    if any(name.rstrip("/").rpartition("/")[2] == ".obsidian" for name in source.hidden):
        return LinkStyle.OBSIDIAN
    return LinkStyle.OBSIDIAN if votes[LinkStyle.OBSIDIAN] > votes[LinkStyle.OTTER] else LinkStyle.OTTER


def _aliases(text: str) -> list[str]:
    """The page's other names, as Obsidian keeps them in the frontmatter."""
    frontmatter, _ = split_frontmatter(text)
    value = (frontmatter or {}).get("aliases")
    names = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else []
    return [str(name).strip() for name in names[:_MAX_ALIASES] if name is not None and not str(name).endswith(SUFFIX)]
