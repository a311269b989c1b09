"""git over HTTP with the real git: clone, fetch and push, and who may."""

from __future__ import annotations

import gzip
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot.git.packets import packet
from tests.git_door.client import Git, address, environment, new_token, new_wiki
from tests.harness import Robot, running_robot
from tests.processes import wait_until
from tests.raw import send_raw

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    with running_robot(tmp_path_factory.mktemp("git") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def private(robot: Robot) -> str:
    """The token of the private wiki `secret`."""
    return new_wiki(robot, "secret")


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


def wait_until_put_away(robot: Robot) -> None:
    """Until no transfer has left anything; a directory goes just after the answer that it was for."""
    wait_until(lambda: not list((robot.data / "transfers").glob("*")), 10, "transfers are put away")


@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_a_public_wiki_is_cloned_without_credentials(robot: Robot, git: Git, protocol: str) -> None:
    copy = git.clone(address(robot), "copy", "-c", f"protocol.version={protocol}")
    assert (copy.place / "Home.md").is_file()
    assert copy("branch", "--show-current") == "main"
    copy("fsck", "--strict")
    wait_until_put_away(robot)


def test_a_shallow_clone_can_be_deepened(robot: Robot, git: Git) -> None:
    writer = git.clone(address(robot, robot.token), "writer")
    writer.write({"Deep.md": "1"})
    writer.write({"Deep.md": "2"})
    writer("push", "-q")
    shallow = git.clone(address(robot), "shallow", "--depth", "1")
    assert shallow("rev-list", "--count", "HEAD") == "1"
    shallow("fetch", "-q", "--unshallow")
    assert shallow("rev-list", "--count", "HEAD") == writer("rev-list", "--count", "HEAD")


def test_pushed_commits_keep_their_author_and_it_is_told_who_pushed(robot: Robot, git: Git, private: str) -> None:
    copy = git.clone(address(robot, private, "secret"), "copy")
    head = copy.write({"Pushed.md": "By Grace."}, "From outside")
    copy("push", "-q")
    with robot.agent(private, robot.wiki_origin("secret")) as script:
        [entry] = script.get("/api/v1/pages/Pushed/history").json()["history"]
        [change] = script.get("/api/v1/changes", params={"since": copy("rev-parse", "HEAD^")}).json()["changes"]
    for told in (entry, change):
        assert (told["revision"], told["author"], told["via"]) == (head, "Grace", "git")
        assert told["pushed_by"].startswith("Keeper (")
    with sqlite3.connect(robot.data / "robot.db") as db:

        def is_written_down() -> bool:
            asked = "SELECT operation, revision FROM agent_calls WHERE door = 'git' AND outcome = 'ok'"
            return {("push", head), ("fetch", None)} <= set(db.execute(asked))

        wait_until(is_written_down, 10, "what was done is written down")


def test_a_push_from_a_shallow_clone(robot: Robot, git: Git) -> None:
    shallow = git.clone(address(robot, robot.token), "shallow", "--depth", "1")
    head = shallow.write({"From shallow.md": "Shallow water."})
    shallow("push", "-q")
    assert git("ls-remote", address(robot), "HEAD").split()[0] == head


def test_a_private_wiki_asks_for_a_token_and_takes_it_in_every_form(robot: Robot, git: Git, private: str) -> None:
    assert "could not read Username" in git.fails("clone", address(robot, slug="secret"), "anonymous")
    assert (git.clone(address(robot, private, "secret"), "by-url").place / "Home.md").is_file()
    header = f"http.extraHeader=Authorization: Bearer {private}"
    git("-c", header, "clone", "-q", address(robot, slug="secret"), "by-header")
    assert "Authentication failed" in git.fails("clone", address(robot, "robot_wrong", "secret"), "wrong")
    assert "Authentication failed" in git.fails("clone", address(robot, robot.token, "secret"), "of-another-wiki")


def test_a_missing_wiki_looks_like_a_private_one(robot: Robot, private: str) -> None:
    answers = []
    for slug in ("secret", "missing"):
        with robot.client(robot.wiki_origin(slug)) as stranger:
            seen = stranger.get("/.git/info/refs?service=git-upload-pack")
            answers.append((seen.status_code, seen.text, seen.headers["www-authenticate"].replace(slug, "")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert answers[0][2].startswith("Basic realm=")


def test_who_may_read_may_not_always_push(robot: Robot, git: Git, private: str) -> None:
    reader = new_token(robot, "secret", "--read-only")
    copy = git.clone(address(robot, reader, "secret"), "copy")
    copy.write({"Nope.md": "x"})
    assert "403" in copy.fails("push")
    public = git.clone(address(robot), "public")
    public.write({"Nope.md": "x"})
    assert "could not read Username" in public.fails("push")


def test_a_push_is_seen_at_every_door_at_once(robot: Robot, git: Git) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    with robot.client() as browser, robot.agent() as script:
        assert browser.get("/?made-anew").status_code == 200  # awake, with all that it remembers
        head = copy.write({"Pushed page.md": "# Pushed\n\nA lighthouse keeper's log.\n"}, "From git")
        copy("push", "-q")
        assert "lighthouse keeper" in browser.get("/Pushed page").text
        page = script.get("/api/v1/pages/Pushed page").json()
        assert page["last_commit"]["revision"] == head
        found = script.get("/api/v1/search", params={"q": "lighthouse keeper"}).json()
        assert [hit["path"] for hit in found["results"]] == ["Pushed page"]
        saved = script.put("/api/v1/pages/Pushed page", json={"content": "Changed.", "revision": head})
        assert saved.status_code == 200
    copy("pull", "-q")
    assert (copy.place / "Pushed page.md").read_text() == "Changed."
    wait_until_put_away(robot)


def test_five_hundred_commits_in_one_push(robot: Robot, git: Git) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    commits = [
        f"commit refs/heads/main\ncommitter Grace <g@users.example> {1_800_000_000 + number} +0000\ndata 4\nMany\n"
        + (f"from {copy.head()}\n" if number == 0 else "")
        + f"M 644 inline Many/Page {number % 50}.md\ndata {len(str(number))}\n{number}\n"
        for number in range(500)
    ]
    (git.place / "stream").write_text("".join(commits))
    with (git.place / "stream").open() as stream:
        subprocess.run(["git", "fast-import", "--quiet"], cwd=copy.place, stdin=stream, env=environment(), check=True)
    copy("push", "-q", "origin", "main")
    with robot.agent() as script:
        listed = script.get("/api/v1/pages", params={"prefix": "Many/"}).json()
        assert len(listed["pages"]) == 50
        assert script.get("/api/v1/pages/Many/Page 49").json()["content"] == "499"


def test_a_push_that_races_a_save_loses_nothing(robot: Robot, git: Git) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    copy.write({"Race git.md": "From git."})
    with robot.agent() as script:
        assert script.put("/api/v1/pages/Race rest", json={"content": "From REST."}).status_code == 201
        assert "rejected" in copy.fails("push")
        forced = copy.fails("push", "--force")
        assert "Not a fast-forward" in forced
        assert script.get("/api/v1/pages/Race rest").json()["content"] == "From REST."
        copy("pull", "-q", "--rebase")
        copy("push", "-q")
        assert script.get("/api/v1/pages/Race git").json()["content"] == "From git."
        assert script.get("/api/v1/pages/Race rest").json()["content"] == "From REST."


def refused_trees(copy: Git) -> Iterator[tuple[str, str]]:
    """Commits that no wiki takes, each on the head, and the words of the refusal."""
    start = copy.head()
    link = copy.place / "out"
    link.symlink_to("/etc/passwd")
    copy("add", "out")
    copy("commit", "-q", "-m", "link")
    yield copy.head(), "symbolic link"
    copy("reset", "-q", "--hard", start)
    copy("update-index", "--add", "--cacheinfo", f"160000,{start},module")
    copy("commit", "-q", "-m", "module")
    yield copy.head(), "submodule"
    copy("reset", "-q", "--hard", start)
    for files, words in (
        ({".gitattributes": "*.md filter=evil\n"}, "attributes"),
        ({"-x.md": "x"}, "dash"),
        ({"Bad /x.md": "x"}, "space"),
        ({"Twin_page.md": "x", "Twin page.md": "y"}, "same page"),
        ({"Long.md": "x" * 1_000_001}, "too long"),
        ({"a/" * 70 + "x.md": "x"}, "parts"),
        ({"new\nline.md": "x"}, "control"),
    ):
        yield copy.write(files), words
        copy("reset", "-q", "--hard", start)


def test_refused_pushes_leave_nothing(robot: Robot, git: Git) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    before = git("ls-remote", address(robot))
    for commit, words in refused_trees(copy):
        said = copy.fails("push", "origin", f"{commit}:refs/heads/main")
        assert words in said, said
        assert git("ls-remote", address(robot)) == before
        # Protocol 2 serves any object that there is: this one there is not.
        git("init", "-q", "probe")
        assert "not our ref" in Git(git.place / "probe").fails("fetch", address(robot), commit)
    later = copy.write({"Hidden.md": "x"})
    (copy.place / "Hidden.md").unlink()
    copy("commit", "-qam", "away")
    copy("push", "-q", "origin", "HEAD:refs/heads/main")  # and a good one goes through
    assert later in copy("rev-list", "origin/main")
    wait_until_put_away(robot)


PUSHES = {"Content-Type": "application/x-git-receive-pack-request"}


def push_of(copy: Git, old: str, new: str, objects: list[str]) -> bytes:
    """The body of a push that brings these objects."""
    packed = subprocess.run(
        ["git", "pack-objects", "-q", "--stdout"],
        cwd=copy.place,
        env=environment(),
        input="".join(f"{name}\n" for name in objects).encode(),
        capture_output=True,
        check=True,
    )
    return packet(f"{old} {new} refs/heads/main\0 report-status".encode()) + b"0000" + packed.stdout


def test_a_push_under_way_ends_with_the_right_to_it(robot: Robot, git: Git) -> None:
    token = new_wiki(robot, "ending")
    copy = git.clone(address(robot, token, "ending"), "copy")
    old, new = copy.head(), copy.write({"Late.md": "x"})
    body = push_of(copy, old, new, copy("rev-list", "--objects", "--no-object-names", new, f"^{old}").split())

    def pieces() -> Iterator[bytes]:
        yield body[:-10]
        # By now it has been let in: its head was answered with nothing, and most of it is there.
        wait_until(lambda: any((robot.data / "transfers").glob("*/*")), 10, "the push is under way")
        with sqlite3.connect(robot.data / "robot.db") as db:
            db.execute("DELETE FROM tokens WHERE wiki_id = (SELECT id FROM wikis WHERE slug = 'ending')")
        yield body[-10:]

    with robot.agent(token, robot.wiki_origin("ending")) as script:
        told = script.post("/.git/git-receive-pack", content=pieces(), headers=PUSHES)
    assert b"ng refs/heads/main You may not write to this wiki any more" in told.content
    assert git("ls-remote", address(robot, new_token(robot, "ending"), "ending"), "HEAD").split()[0] == old


@pytest.mark.parametrize("missing", ["blob", "tree"])
def test_a_pack_without_all_its_objects_is_refused(robot: Robot, git: Git, missing: str) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    old = copy.head()
    new = copy.write({"Incomplete.md": f"{missing} is missing"})
    body = push_of(copy, old, new, [new] if missing == "tree" else [new, copy("rev-parse", f"{new}^{{tree}}")])
    with robot.agent() as script:
        answer = script.post("/.git/git-receive-pack", content=body, headers=PUSHES)
        cut = script.post("/.git/git-receive-pack", content=body[:-30], headers=PUSHES)
    for told in (answer, cut):
        assert told.status_code == 200
        assert b"ng refs/heads/main git found fault" in told.content
    assert git("ls-remote", address(robot), "HEAD").split()[0] == old


def test_a_bad_commit_is_found_behind_a_good_one(robot: Robot, git: Git) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    (copy.place / "out").symlink_to("/etc/passwd")
    copy("add", "out")
    copy("commit", "-q", "-m", "link")
    copy("rm", "-q", "out")
    copy("commit", "-q", "-m", "away")
    assert "symbolic link" in copy.fails("push")


def test_only_the_branch_main_is_pushed(robot: Robot, git: Git) -> None:
    copy = git.clone(address(robot, robot.token), "copy")
    before = git("ls-remote", address(robot))
    copy("tag", "v1")
    copy.write({"With tag.md": "x"})
    assert "to its branch main only" in copy.fails("push", "origin", "HEAD:refs/heads/other")
    assert "to its branch main only" in copy.fails("push", "origin", "v1", "HEAD:main")
    assert "cannot be deleted" in copy.fails("push", "origin", ":main")
    assert git("ls-remote", address(robot)) == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/.git", 404),
        ("GET", "/.git/", 404),
        ("GET", "/.git/config", 404),
        ("GET", "/.git/HEAD", 404),
        ("GET", "/.git/index", 404),
        ("GET", "/.git/packed-refs", 404),
        ("GET", "/.git/objects/info/packs", 404),
        ("GET", "/.git/objects/info/alternates", 404),
        ("GET", "/.git/refs/heads/main", 404),
        ("GET", "/.git/info/refs", 404),
        ("GET", "/.git/info/refs?service=git-upload-archive", 404),
        ("GET", "/.git/info/refs?service=--output=x", 404),
        ("GET", "/.git/info/refs?service=git-upload-pack&service=git-receive-pack", 404),
        ("HEAD", "/.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/.git/git-upload-pack", 404),
        ("PUT", "/.git/git-receive-pack", 404),
        ("POST", "/.git/git-upload-archive", 404),
        ("POST", "/.git/git-upload-pack", 415),
        ("POST", "/.git/git-receive-pack", 401),
        ("GET", "/.git/hooks/pre-receive", 404),
        ("GET", "/.git/../.git/config", 400),
        ("GET", "/.git/%2e%2e/x", 400),
        ("GET", "/Home/.git/config", 400),
        ("GET", "/%2egit/config", 400),
    ],
)
def test_nothing_else_below_git_is_served(robot: Robot, method: str, path: str, status: int) -> None:
    head = [f"{method} {path} HTTP/1.1", f"Host: demo.robot.localhost:{robot.port}", "Content-Length: 0"]
    answer = send_raw(robot.port, "\r\n".join([*head, "Connection: close", "", ""]).encode())
    assert answer is not None
    assert answer.status == status


def test_a_push_with_a_browsers_cookie_is_anonymous(robot: Robot) -> None:
    with robot.client(cookies=robot.sign_in(robot.wiki)) as browser:
        asked = browser.get("/.git/info/refs?service=git-receive-pack")
        assert asked.status_code == 401


def test_zipped_requests_and_the_probe(robot: Robot) -> None:
    kind = {"Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": "version=2"}
    ask = b"0014command=ls-refs\n0001000bsymrefs0000"
    with robot.client() as client:
        plain = client.post("/.git/git-upload-pack", content=ask, headers=kind)
        zipped = client.post(
            "/.git/git-upload-pack", content=gzip.compress(ask), headers={**kind, "Content-Encoding": "gzip"}
        )
        assert plain.status_code == zipped.status_code == 200
        assert b"refs/heads/main" in plain.content
        assert plain.content == zipped.content
        bomb = gzip.compress(bytes(64 * 1024 * 1024))
        answer = client.post("/.git/git-upload-pack", content=bomb, headers={**kind, "Content-Encoding": "gzip"})
        assert answer.status_code in (400, 413)
        # In the middle of the command: one that lacks only its checksum may be answered before that is known.
        half = gzip.compress(ask)[:20]
        cut = client.post("/.git/git-upload-pack", content=half, headers={**kind, "Content-Encoding": "gzip"})
        assert cut.status_code == 400
    push = {"Content-Type": "application/x-git-receive-pack-request"}
    with robot.agent() as script:
        assert script.post("/.git/git-receive-pack", content=b"0000", headers=push).status_code == 200
        for junk in (b"", b"zzzz", b"0000PACKxxxx", b"000a\0\0\0\0\0\0", b"ffff" + b"x" * 70_000):
            assert script.post("/.git/git-receive-pack", content=junk, headers=push).status_code in (200, 400)
    wait_until_put_away(robot)


def test_the_repository_is_sound_after_all_this(robot: Robot) -> None:
    for repo in (robot.data / "wikis").glob("*/repo"):
        here = Git(repo)
        assert here("-c", f"safe.directory={repo}", "fsck", "--strict", "--no-dangling") == ""
        assert here("--no-optional-locks", "status", "--porcelain") == ""
