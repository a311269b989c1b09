"""Imports into real wikis: one commit, the report says what happened, and a dry run says the same."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.git_door.client import Git
from tests.wikihost.wikis import ADA, assert_sound, git, in_child, make_wiki, wait_child
from wikihost.content import Content
from wikihost.errors import StorageFailed, StorageFull
from wikihost.imports.archives import Archive
from wikihost.imports.building import build_commit
from wikihost.imports.commits import CommitFiles
from wikihost.imports.run import History, Order, plan_import, run_import
from wikihost.imports.values import Choices, ImportRefused, LinkStyle, OnExisting, Report, SourceLimits
from wikihost.layout import WikiHome
from wikihost.repo import Repository
from wikihost.transfer import open_transfer

LIMITS = SourceLimits(1024 * 1024)


def ignore(done: int, total: int) -> None:
    pass


class Stage:
    """One wiki, and archives imported into it."""

    def __init__(self, place: Path, pages: Mapping[str, str] | None = None) -> None:
        self.place = place
        self.home: WikiHome = make_wiki(place / "wiki", pages)
        self.content = Content(self.home)

    def write(self, name: str = "Mine", text: str = "mine\n") -> None:
        """Somebody writes a page, so the wiki is new no more."""
        self.content.write_page(name, text, base=None, author=ADA)

    def archive(self, files: Mapping[str, bytes | str]) -> Path:
        place = self.place / "source.zip"
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return place

    def run(
        self,
        files: Mapping[str, bytes | str],
        existing: OnExisting = OnExisting.SKIP,
        style: LinkStyle = LinkStyle.AUTO,
        progress: Callable[[int, int], None] = ignore,
    ) -> Report:
        """Look first, then import; both must say the same."""
        order = Order("source.zip", Choices(existing, style), LIMITS, ADA)
        before = self.content.head()
        with Archive(self.archive(files), LIMITS) as source:
            planned = plan_import(self.content, source, order, ignore)
            assert self.content.head() == before
            done = run_import(self.content, self.home, self.place / "made", source, order, progress)
        assert _told(planned) == _told(done)
        assert done.revision == self.content.head()
        assert int(git(self.home, "rev-list", "--count", f"{before}..HEAD")) == (1 if done.changes_something else 0)
        assert not (self.place / "made").exists()
        assert_sound(self.home)
        return done

    def text(self, name: str) -> str:
        return self.content.read_page(name).text

    def files(self) -> set[str]:
        return set(git(self.home, "ls-tree", "-r", "--name-only", "-z", "HEAD").strip("\0").split("\0"))


def _told(report: Report) -> dict[str, object]:
    names = Report.__dataclass_fields__.keys() - {"revision"}
    return {name: getattr(report, name) for name in names}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.content.close()


def test_a_vault(stage: Stage) -> None:
    stage.write()
    report = stage.run(
        {
            "source/.obsidian/app.json": "{}",
            "source/Start.md": "---\ntags: [a]\naliases: Begin\n---\n[[Plan|the plan]] ![[shot.png|200]] ![[Plan]]\n",
            "source/Work/Plan.md": "Back to [[Begin]]. [file](../files/data.csv) ![[shot.png]]\n",
            "source/files/shot.png": b"\x89PNG",
            "source/files/data.csv": "1,2\n",
            "source/files/unused.pdf": b"pdf",
        }
    )
    assert report.style is LinkStyle.OBSIDIAN
    assert sorted(report.created) == ["Imported files", "Start", "Work/Plan"]
    assert sorted(report.attachments) == ["Imported files/unused.pdf", "Start/shot.png", "Work/Plan/data.csv"]
    assert list(report.hidden) == [".obsidian/"]
    assert report.links == 6
    assert stage.text("Start") == (
        "---\ntags: [a]\naliases: Begin\n---\n"
        "[[the plan|Work/Plan]] ![](./shot.png?width=200) {{Include|src=/Work/Plan}}\n"
    )
    assert stage.text("Work/Plan") == "Back to [[Begin|Start]]. [file](/Work/Plan/data.csv) ![](/Start/shot.png)\n"
    assert "](/Imported%20files/unused.pdf)" in stage.text("Imported files")
    page = stage.content.read_page("Start")
    assert (list(page.linked_from), page.frontmatter) == (["Work/Plan"], {"tags": ["a"], "aliases": "Begin"})
    assert git(stage.home, "log", "-1", "--format=%an <%ae>%n%B") == (
        "Ada Ferry <ada@users.example>\nImport from source.zip\n\nRobot-Via: rest"
    )
    again = stage.run({name.removeprefix("source/"): "x" for name in ("source/Start.md",)})
    assert list(again.skipped) == ["Start"]


def test_a_second_time_there_is_nothing_to_do(stage: Stage) -> None:
    stage.write()
    files: dict[str, bytes | str] = {
        "On Call.md": "a [[On_Call]]",
        "On_Call.md": "b",
        "a/p.png": b"p",
        "x.md": "![](a/p.png)",
        "u.bin": b"u",
    }
    for existing in (OnExisting.REPLACE, OnExisting.REPLACE, OnExisting.SKIP):
        report = stage.run(files, existing)
    assert not report.changes_something
    assert "On_Call 2.md" in stage.files()


def test_our_own_export_comes_back_as_it_was(stage: Stage) -> None:
    stage.write("A/Page", "[[shown|B page]] ![x](/A/Page/pic.png) ![x](./pic.png) [[B page#Top]]\r\n")
    stage.write("B page", "[x](/A/Page) [[A/Page]]")
    stage.content.write_attachment("A/Page", "pic.png", b"p", author=ADA)
    stage.content.write_attachment("A/Page", "unused.bin", b"u", author=ADA)
    files = {path: git_bytes(stage.home, path) for path in sorted(stage.files())}
    other = Stage(stage.place / "other")
    report = other.run(files)
    assert report.style is LinkStyle.OTTER
    assert report.links == 0
    assert {path: git_bytes(other.home, path) for path in other.files()} == files
    other.content.close()


def git_bytes(home: WikiHome, path: str) -> bytes:
    return (home.repo / path).read_bytes()


class TestPagesThatAreThere:
    """`The page` is there, and `The_page` comes with a link to it."""

    FILES: Mapping[str, bytes | str] = {"The_page.md": "new", "Link.md": "[[The_page]]"}

    def test_skipped(self, stage: Stage) -> None:
        stage.write("The page", "old")
        report = stage.run(self.FILES, OnExisting.SKIP, LinkStyle.OBSIDIAN)
        assert (list(report.skipped), list(report.created)) == (["The page"], ["Link"])
        assert (stage.text("The page"), stage.text("Link")) == ("old", "[[The_page|The page]]")

    def test_replaced(self, stage: Stage) -> None:
        stage.write("The page", "old")
        report = stage.run(self.FILES, OnExisting.REPLACE, LinkStyle.OBSIDIAN)
        assert (list(report.replaced), list(report.created)) == (["The page"], ["Link"])
        assert (stage.text("The page"), stage.text("Link")) == ("new", "[[The_page|The page]]")

    def test_both_kept(self, stage: Stage) -> None:
        stage.write("The page", "old")
        report = stage.run(self.FILES, OnExisting.RENAME, LinkStyle.OBSIDIAN)
        assert [(moved.source, moved.target) for moved in report.renamed] == [("The_page.md", "The_page 2")]
        assert (stage.text("The page"), stage.text("The_page 2")) == ("old", "new")
        assert stage.text("Link") == "[[The_page|The_page 2]]"


def test_what_robot_put_into_a_new_wiki_gives_way(tmp_path: Path) -> None:
    stage = Stage(tmp_path, {"Home": "seed", "Guide": "seed"})
    report = stage.run({"Home.md": "mine"})
    assert (list(report.replaced), stage.text("Home"), stage.text("Guide")) == (["Home"], "mine", "seed")
    assert list(stage.run({"Home.md": "again"}).skipped) == ["Home"]
    stage.content.close()


def test_files_of_skipped_pages_stay_out_and_files_of_one_name_stay_apart(stage: Stage) -> None:
    stage.write("Old", "old")
    report = stage.run(
        {
            "Old.md": "![](only.png)",
            "only.png": b"1",
            "New.md": "![](a/p.png) ![](b/p.png)",
            "a/p.png": b"a",
            "b/p.png": b"b",
        }
    )
    assert sorted(report.skipped) == ["Old", "only.png"]
    assert sorted(report.attachments) == ["New/p 2.png", "New/p.png"]
    assert stage.text("New") == "![](./p.png) ![](./p%202.png)"


def test_a_file_in_the_place_of_a_folder_is_refused(stage: Stage) -> None:
    stage.write()
    stage.content.write_attachment("Mine", "thing", b"x", author=ADA)
    report = stage.run(
        {"Mine/thing/page.md": "x", "P.md": "", "P/f": b"x", "P/f/g.md": "x", "ok.md": "x"}, style=LinkStyle.OTTER
    )
    reasons = {refusal.source: refusal.reason for refusal in report.refused}
    assert reasons.keys() == {"Mine/thing/page.md", "P/f"}
    assert all("in the place of" in reason for reason in reasons.values())
    assert sorted(report.created) == ["P", "P/f/g", "ok"]


def test_odd_pages_come_as_they_are(stage: Stage) -> None:
    stage.write()
    texts = {
        "broken": "---\n[: broken\n---\nx",
        "crlf": "a\r\nb\r\n",
        "empty": "",
        "table": "|a|\n|-|\n" + "|x|\n" * 5000,
    }
    report = stage.run({f"{name}.md": text for name, text in texts.items()} | {"nul.md": "a\0b"})
    assert [refusal.source for refusal in report.refused] == ["nul.md"]
    for name, text in texts.items():
        assert stage.text(name) == text


def test_somebody_else_writes_meanwhile(stage: Stage) -> None:
    stage.write()
    pages = iter(["Other", "Another"])

    def interfere(done: int, total: int) -> None:
        if done == 3 and (page := next(pages, None)) is not None:
            stage.write(page)

    order = Order("source.zip", Choices(), LIMITS, ADA)
    with Archive(stage.archive({"a.md": "1", "b.md": "2", "c.md": "3"}), LIMITS) as source:
        report = run_import(stage.content, stage.home, stage.place / "made", source, order, interfere)
    assert report.revision == stage.content.head()
    assert {"a.md", "b.md", "c.md", "Other.md", "Another.md"} <= stage.files()
    assert_sound(stage.home)


def test_somebody_else_never_stops_writing(stage: Stage) -> None:
    count = iter(range(1000))

    def interfere(done: int, total: int) -> None:
        if done == 2:
            stage.write(f"Page {next(count)}")

    order = Order("source.zip", Choices(), LIMITS, ADA)
    with Archive(stage.archive({"a.md": "1"}), LIMITS) as source, pytest.raises(StorageFailed, match="keep writing"):
        run_import(stage.content, stage.home, stage.place / "made", source, order, interfere)
    assert "a.md" not in stage.files()


@pytest.mark.parametrize("error", [StorageFull("The disk is full."), KeyboardInterrupt()])
def test_an_import_that_ends_early_leaves_nothing(stage: Stage, error: BaseException) -> None:
    stage.write()
    before, objects = stage.content.head(), sorted(stage.home.git_dir.rglob("*"))

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise error

    order = Order("source.zip", Choices(), LIMITS, ADA)
    with Archive(stage.archive({"a.md": "1", "b.md": "2", "c.md": "3"}), LIMITS) as source, pytest.raises(type(error)):
        run_import(stage.content, stage.home, stage.place / "made", source, order, stop)
    assert stage.content.head() == before
    assert sorted(stage.home.git_dir.rglob("*")) == objects
    assert not (stage.place / "made").exists()


def test_what_ends_an_import_is_what_is_raised(stage: Stage) -> None:
    """Not the pipe to git, which breaks when git is stopped while something waits to be written to it."""

    def children() -> set[int]:
        return {
            int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
        }

    others = children()

    def files() -> Iterator[tuple[str, bytes]]:
        yield "a.md", b"x"
        for fast_import in children() - others:
            os.kill(fast_import, signal.SIGKILL)
            os.waitid(os.P_PID, fast_import, os.WEXITED | os.WNOWAIT)
        raise KeyboardInterrupt

    transfer = open_transfer(stage.home, stage.place / "made")
    with pytest.raises(KeyboardInterrupt):
        build_commit(transfer, files(), author=ADA, message="x")


def test_a_full_disk_is_said_and_leaves_nothing(stage: Stage) -> None:
    stage.write()
    before = stage.content.head()
    place = stage.archive({f"{number}.bin": os.urandom(200_000) for number in range(3)} | {"a.md": "x"})

    def work(said: int) -> None:
        # As on a full disk: no file of this process or its children can grow beyond this.
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        content = Content(stage.home)
        with Archive(place, LIMITS) as source, contextlib.suppress(StorageFull):
            run_import(content, stage.home, stage.place / "made", source, Order("x", Choices(), LIMITS, ADA), ignore)
            return
        os.write(said, b"full")

    status, said = wait_child(*in_child(work))
    assert (status, said) == (0, b"full")
    assert stage.content.head() == before
    assert not (stage.place / "made").exists()
    assert_sound(stage.home)


class TestRepositories:
    """A git repository as the source, with its history or without."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Git:
        Git(tmp_path)("init", "-q", "-b", "main", "source")
        git = Git(tmp_path / "source")
        git.write({"home.md": "# One\n", "on call.md": "See [[Home]].\n"}, "First")
        git.write({"home.md": "# Two\n", "home/pic.png": b"\x89PNG"}, "Second")
        git("gc", "-q")  # a pack, as a fetch or a bundle makes it
        return git

    def run(self, stage: Stage, source: Git) -> Report:
        commit = source.head()
        order = Order("elsewhere", Choices(), LIMITS, ADA, History(source.place, commit))
        repository = Repository(source.place)
        files = CommitFiles(repository, commit, LIMITS)
        planned = plan_import(stage.content, files, order, ignore)
        done = run_import(stage.content, stage.home, stage.place / "made", files, order, ignore)
        assert _told(planned) == _told(done)
        assert_sound(stage.home)
        repository.git.free()
        return done

    def test_a_new_wiki_takes_the_history_in(self, tmp_path: Path, source: Git) -> None:
        stage = Stage(tmp_path, {"Home": "seed"})
        report = self.run(stage, source)
        assert report.history == 2
        assert {"home.md", "on call.md", "home/pic.png", "Home.md"} == stage.files()
        assert git(stage.home, "log", "-1", "--format=%P").split()[1] == source.head()
        assert [commit.message for commit in stage.content.history("home", 10)] == ["Second", "First"]
        assert source("fsck") == ""  # what was taken in is still there
        stage.content.close()

    def test_a_wiki_with_pages_takes_the_files(self, stage: Stage, source: Git) -> None:
        stage.write()
        report = self.run(stage, source)
        assert report.history == 0
        assert "stays behind" in report.notes[0]
        assert int(git(stage.home, "rev-list", "--count", "HEAD")) == 3
        assert not stage.content.history("home", 10)[1:]

    def test_a_history_that_no_wiki_may_have_stays_behind(self, stage: Stage, source: Git) -> None:
        source.write({".gitattributes": "* filter=evil\n"}, "Third")
        source("rm", "-q", ".gitattributes")
        source("commit", "-qm", "Fourth")
        source("gc", "-q")
        report = self.run(stage, source)
        assert report.history == 0
        assert "attributes" in report.notes[0]
        assert "home.md" in stage.files()
        assert ".gitattributes" not in stage.files()

    def test_links_and_submodules_in_the_last_commit_are_refused(self, stage: Stage, source: Git) -> None:
        (source.place / "link.md").symlink_to("/etc/passwd")
        source("add", "link.md")
        source("update-index", "--add", "--cacheinfo", f"160000,{source.head()},sub")
        source("commit", "-qm", "Links")
        source("gc", "-q")
        report = self.run(stage, source)
        assert {refusal.source for refusal in report.refused} == {"link.md", "sub"}
        assert report.history == 0


def test_what_the_rules_of_a_push_refuse_is_not_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last look does not trust the planning: here it is made to let a name pass."""
    stage.write()
    before = stage.content.head()
    monkeypatch.setattr("wikihost.imports.placing.legal_page_name", lambda path: ("-bad", None))
    order = Order("source.zip", Choices(), LIMITS, ADA)
    with Archive(stage.archive({"x.md": "1"}), LIMITS) as source, pytest.raises(ImportRefused, match="dash"):
        run_import(stage.content, stage.home, stage.place / "made", source, order, ignore)
    assert stage.content.head() == before
