"""What each tool does, on a real wiki: the result fits its schema, the first line is as agents have always read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from robot.mcp.render import DATA_NOTICE
from robot.model import Scope, Visibility
from tests.robot.agent_doors import AUTHOR, ORIGIN, Doors, a_passage, an_agent, open_doors
from tests.robot.mcp_client import called, done, refused
from tests.wikihost.wikis import git
from wikihost.content import Content
from wikihost.pushes import note_push
from wikihost.repo import Repository
from wikihost.values import Author

LOG = "# Log\n\n## Monday\n\nCalm.\n\n## Tuesday\n\nRain.\n"


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def head_of(doors: Doors) -> str:
    return await doors.contents.run(doors.wiki, lambda content: content.head())


async def last_message(doors: Doors) -> str:
    entries, _ = await doors.contents.run(doors.wiki, lambda content: content.changelog(1))
    return entries[0].commit.message


async def test_messages_are_used_as_they_are(doors: Doors) -> None:
    await done(doors, "write_note", path="A", content="x", commit_message="Why: because")
    assert await last_message(doors) == "Why: because"
    await done(doors, "delete_note", path="A", commit_message="Not needed")
    assert await last_message(doors) == "Not needed"
    await done(doors, "write_note", path="A", content="x")
    assert await last_message(doors) == "[api] Create: A"
    await done(doors, "upload_attachment", path="A", filename="a.bin", content="AA==", commit_message=" \n")
    assert await last_message(doors) == "[api] Attach: A/a.bin"
    await done(doors, "append_note", path="A", content="y")
    assert await last_message(doors) == "[mcp] Append: A"
    await done(doors, "delete_note", path="A")
    assert await last_message(doors) == "[mcp] Delete: A"


async def test_several_pages_in_one_call(doors: Doors) -> None:
    await doors.seed({"A": "first", "B": "x\n" * 20_000, "C": "third", "D": "fourth"})
    result = await called(doors, "read_notes", paths=["A", "Missing", "B", "C", "A", "D"], max_tokens=1_000)
    read = result["structuredContent"]
    assert [note["path"] for note in read["notes"]] == ["A", "B"]
    assert [problem["path"] for problem in read["problems"]] == ["Missing"]
    assert "list_notes" in read["problems"][0]["problem"]
    assert read["left_out"] == ["C", "D"]
    overview, first, second, *links = result["content"]
    assert overview["text"].startswith("Read 2 of 5 pages. ")
    mark = overview["text"].splitlines()[0].split("'")[1]
    assert first["text"].startswith(f"{mark}\nPath: A\n")
    assert first["text"].endswith(f"{DATA_NOTICE}\n\n---\nfirst")
    assert "not the whole page. Read on with read_note, offset=" in second["text"]
    assert [link["uri"] for link in links] == ["wiki://notes/page/C", "wiki://notes/page/D"]
    assert sum(len(block.get("text", "")) for block in result["content"]) <= 5_000
    (part,) = [note for note in read["notes"] if note["path"] == "B"]
    _, rest = await done(doors, "read_note", path="B", offset=part["next_offset"])
    assert rest["first_line"] == part["last_line"] + 1
    whole = (await called(doors, "read_notes", paths=["A", "C", "D"]))["structuredContent"]
    assert [note["content"] for note in whole["notes"]] == ["first", "third", "fourth"]


async def test_a_long_page_comes_with_a_link_to_all_of_it(doors: Doors) -> None:
    await doors.seed({"Näme/Long": "é" * 39 + "\n"})
    assert len((await called(doors, "read_note", path="Näme/Long"))["content"]) == 1
    await doors.seed({"Näme/Longer": ("é" * 39 + "\n") * 2_000})
    result = await called(doors, "read_note", path="Näme/Longer")
    text, link = result["content"]
    assert link["uri"] == "wiki://notes/page/N%C3%A4me/Longer"
    assert len(text["text"].encode()) <= 80_000
    assert result["structuredContent"]["next_offset"] < 1_000


async def test_search_and_fetch_have_the_shape_that_chatgpt_reads(doors: Doors) -> None:
    await doors.seed({"Guides/On Call": "---\ntitle: Night\n---\nRing twice.", "Long": "x" * 90_000})
    doors.search.answers = (a_passage("Guides/On Call", "Ring twice."),)
    text, found = await done(doors, "search", query="who rings?")
    assert json.loads(text) == found
    address = f"{ORIGIN}/Guides/On%20Call"
    (hit,) = found["results"]
    assert (hit["id"], hit["title"], hit["url"]) == ("Guides/On Call", "Guides/On Call", f"{address}#use")
    assert (hit["section"], hit["snippet"], hit["first_line"], hit["last_line"]) == ("Use", "Ring twice.", 3, 4)
    text, fetched = await done(doors, "fetch", id=found["results"][0]["id"])
    assert json.loads(text) == fetched
    assert set(fetched) == {"id", "title", "text", "url", "metadata"}
    assert (fetched["title"], fetched["url"]) == ("Night", address)
    assert fetched["text"].endswith("Ring twice.")
    assert fetched["metadata"]["revision"] == await doors.revision("Guides/On Call")
    text, long = await done(doors, "fetch", id="Long")
    assert len(text) < 80_000
    assert "read on with read_note" in long["metadata"]["more"]


async def test_a_section_is_replaced_and_the_rest_stays(doors: Doors) -> None:
    await doors.seed({"Log": LOG})
    revision = await doors.revision("Log")
    change = {"path": "Log", "section": "Monday", "content": "Storm."}
    tried, _ = await done(doors, "edit_section", **change, revision=revision, dry_run=True)
    assert tried.startswith(f"Would edit Log. Nothing was written.\n{DATA_NOTICE}\n")
    assert "-Calm.\n+Storm." in tried
    assert await doors.text("Log") == LOG
    text, written = await done(doors, "edit_section", **change, revision=revision)
    assert text.startswith(f"Edited Log (revision: {written['revision'][:8]})\n")
    assert await doors.text("Log") == LOG.replace("Calm.", "Storm.")
    words = await refused(doors, "edit_section", **change, revision=revision)
    assert "Nothing was written. Read the page again" in words
    words = await refused(doors, "edit_section", **change | {"section": "Sunday"}, revision=written["revision"])
    assert words == (
        f"Section not found: 'Sunday'. Available sections:\n{DATA_NOTICE}\n- Log\n- Log > Monday\n- Log > Tuesday"
    )


async def test_text_is_added_whatever_happened_meanwhile(doors: Doors) -> None:
    await doors.seed({"Log": LOG, "New/Name": "x"})
    text, _ = await done(doors, "append_note", path="Log", content="Wind.", section="monday")
    assert text.startswith("Appended to Log (revision: ")
    await done(doors, "append_note", path="Log", content="\n## Wednesday")
    assert await doors.text("Log") == LOG.replace("Calm.\n", "Calm.\nWind.\n") + "\n## Wednesday\n"
    tried, result = await done(doors, "append_note", path="Log", content="Sun.", dry_run=True)
    assert tried.startswith("Would append to Log. Nothing was written.\n")
    assert (result["dry_run"], result["changed"], "+Sun." in result["diff"]) == (True, True, True)
    await done(doors, "rename_note", path="Log", new_path="Diary")
    words = await refused(doors, "append_note", path="Log", content="Sun.")
    assert "only a redirect to Diary: make the change there" in words


async def test_a_dry_run_of_a_new_page_names_no_revision(doors: Doors) -> None:
    before = await head_of(doors)
    tried, result = await done(doors, "write_note", path="A", content="one", dry_run=True)
    assert tried.startswith("Would create A. Nothing was written.")
    assert "+one" in tried
    assert (result["created"], result["changed"], "revision" in result) == (True, True, False)
    big, _ = await done(doors, "write_note", path="A", content="one\n" * 9_000, dry_run=True)
    assert len(big) < 5_000
    assert await head_of(doors) == before


async def test_a_page_moves_with_its_links_and_goes_and_comes_back(doors: Doors) -> None:
    await doors.seed({"Old": "text", "Ref": "[[Old]]", "Ref 2": "[[Old]]"})
    await done(doors, "upload_attachment", path="Old", filename="a.txt", content="aGVsbG8=")
    before = await head_of(doors)
    tried, _ = await done(doors, "rename_note", path="Old", new_path="New", dry_run=True)
    assert tried.startswith("Would rename Old -> New. Nothing was written.\n")
    assert "+[[New]]" in tried
    assert "Would delete Old" in (await done(doors, "delete_note", path="Old", dry_run=True))[0]
    assert await head_of(doors) == before
    text, renamed = await done(doors, "rename_note", path="Old", new_path="New")
    assert text.splitlines()[0] == f"Renamed Old -> New (revision: {renamed['revision'][:8]})"
    assert f"Updated 2 backreferences:\n{DATA_NOTICE}\n- Ref\n- Ref 2" in text
    assert renamed["updated_pages"] == ["Ref", "Ref 2"]
    assert "Redirected from: Old" in (await done(doors, "read_note", path="Old"))[0]
    assert "Take another name" in await refused(doors, "rename_note", path="Ref", new_path="New")
    text, deleted = await done(doors, "delete_note", path="New", revision=await doors.revision("New"))
    assert text.startswith("Deleted New\n")
    assert deleted["attachments"] == ["a.txt"]
    assert f"undo_change with revision {deleted['revision'][:8]}" in text
    tried, _ = await done(doors, "undo_change", revision=deleted["revision"], dry_run=True)
    assert tried.startswith(f"Would undo {deleted['revision'][:8]}. Nothing was written. On 1 page:")
    text, undone = await done(doors, "undo_change", revision=deleted["revision"][:8])
    assert text.startswith(f"Undid {deleted['revision'][:8]} (revision: {undone['revision'][:8]}), on 1 page:")
    assert undone["pages"] == [{"path": "New", "change": "created"}]
    assert await doors.text("New") == "text"
    assert "mend by hand" in await refused(doors, "undo_change", revision=deleted["revision"])
    alone, _ = await done(doors, "rename_note", path="Welcome", new_path="Hello", redirect=False)
    assert alone.endswith("No backreferences needed updating.")


async def test_files_come_as_what_they_are(doors: Doors) -> None:
    await doors.seed({"On Call": "x"})
    await doors.contents.change(
        doors.wiki,
        lambda content: [
            content.write_attachment("On Call", name, data, author=AUTHOR, message="Seed")
            for name, data in (("big.png", b"\x89PNG" * 200_000), ("b.bin", bytes(40_000)), ("big.bin", bytes(60_000)))
        ],
    )
    text, stored = await done(doors, "upload_attachment", path="On Call", filename="a.png", content="iVBORw0KGgo=")
    assert text == "Uploaded a.png to On Call (8 bytes)"
    assert (stored["mime_type"], stored["created"], stored["changed"]) == ("image/png", True, True)
    await done(doors, "upload_attachment", path="On Call", filename="n.csv", content="YSxiCg==")
    listed, files = await done(doors, "list_attachments", path="On_Call")
    assert listed.startswith(f"Attachments for On Call (5):\n{DATA_NOTICE}\n- a.png (8 bytes, image/png, revision ")
    assert files["total"] == 5
    image = await called(doors, "download_attachment", path="On Call", filename="a.png")
    assert image["content"][0]["text"] == f"Downloaded a.png (8 bytes, image/png)\n{DATA_NOTICE}"
    assert image["content"][1] == {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}
    table = await called(doors, "download_attachment", path="On Call", filename="n.csv")
    assert table["content"][1]["resource"] == {
        "uri": "wiki://notes/attachment/On%20Call/n.csv",
        "mimeType": "text/csv",
        "text": "a,b\n",
    }
    assert (
        "blob"
        in (await called(doors, "download_attachment", path="On Call", filename="b.bin"))["content"][1]["resource"]
    )
    for name in ("big.png", "big.bin"):
        large = await called(doors, "download_attachment", path="On Call", filename=name)
        address = f"{ORIGIN}/api/v1/pages/On%20Call/attachments/{name}?raw=1"
        assert large["content"][0]["text"].splitlines()[0].startswith(f"Downloaded {name} (")
        assert address in large["content"][0]["text"]
        assert (large["content"][1]["type"], large["content"][1]["uri"]) == ("resource_link", address)
        assert large["structuredContent"]["url"] == address


async def test_files_are_replaced_and_deleted(doors: Doors) -> None:
    await done(doors, "upload_attachment", path="Welcome", filename="a.txt", content="b25l")
    again, same = await done(doors, "upload_attachment", path="Welcome", filename="a.txt", content="b25l")
    assert again.endswith("nothing was committed.")
    assert same["changed"] is False
    tried, _ = await done(doors, "upload_attachment", path="Welcome", filename="a.txt", content="dHdv", dry_run=True)
    assert "in place of the file of that name. Nothing was written." in tried
    first = same["revision"]
    _, second = await done(doors, "upload_attachment", path="Welcome", filename="a.txt", content="dHdv", revision=first)
    words = await refused(doors, "delete_attachment", path="Welcome", filename="a.txt", revision=first)
    assert f"The file's revision is now {second['revision']}" in words
    words = await refused(doors, "delete_attachment", path="Welcome", filename="b.txt")
    assert words.endswith(f"The page has these files:\n{DATA_NOTICE}\na.txt")
    tried, _ = await done(doors, "delete_attachment", path="Welcome", filename="a.txt", dry_run=True)
    assert "Nothing was written." in tried
    text, _ = await done(doors, "delete_attachment", path="Welcome", filename="a.txt")
    assert text == "Deleted attachment a.txt"
    assert await last_message(doors) == "[mcp] Delete attachment: Welcome/a.txt"


@pytest.mark.parametrize("content", ["b25l\n", "b25", "data:text/plain;base64,b25l", "b25-", "é", "=b25"])
async def test_what_is_no_base64_is_stored_nowhere(doors: Doors, content: str) -> None:
    before = await head_of(doors)
    words = await refused(doors, "upload_attachment", path="Welcome", filename="a.txt", content=content)
    assert "content is not valid base64; nothing was stored. Send" in words
    assert await head_of(doors) == before
    large = await refused(doors, "upload_attachment", path="Welcome", filename="a.txt", content="A" * 14_000_000)
    assert "at most 10 MiB" in large


async def test_links_of_a_page_and_of_the_wiki(doors: Doors) -> None:
    await doors.seed({"Home": "[[A]] [[Gone]]", "A": "[[B]] [[gone too|Gone]]", "B": "[[A]]", "Alone": "x"})
    text, links = await done(doors, "get_links", path="A")
    assert text == (f"Links for A:\n{DATA_NOTICE}\n\nLinks to (2):\n  - B\n  - Gone\nLinked from (2):\n  - B\n  - Home")
    assert (links["links_to_total"], links["linked_from_total"]) == (2, 2)
    text, _ = await done(doors, "get_links", path="Gone")
    assert "Links to (0):\n  (none)\nLinked from (2):" in text
    text, orphans = await done(doors, "find_orphaned_notes")
    assert text.startswith(f"Found 2 orphaned notes (no other page links to them):\n{DATA_NOTICE}\n- Alone (")
    assert [note["path"] for note in orphans["notes"]] == ["Alone", "Welcome"]
    await doors.seed({"C": "[[Other gone]]"})
    text, broken = await done(doors, "find_broken_links", limit=1)
    assert text.startswith("Found 2 missing pages that others link to:\n(The first 1 of them here; go on with cursor=")
    assert broken["links"] == [{"target": "Gone", "linked_from": ["A", "Home"], "linked_from_total": 2}]
    _, rest = await done(doors, "find_broken_links", cursor=broken["cursor"])
    assert [link["target"] for link in rest["links"]] == ["Other gone"]
    assert "cursor" not in rest


async def test_lists_end_where_a_result_must_and_go_on(doors: Doors) -> None:
    files = {f"{number:03} {'n' * 200}.md": f"[[{'m' * 200} {number:03}]]".encode() for number in range(300)}
    await doors.contents.change(doors.wiki, lambda content: content.writer.commit(files, author=AUTHOR, message="Seed"))
    for tool, entries, key in (("list_notes", "notes", "path"), ("find_broken_links", "links", "target")):
        seen: list[str] = []
        cursor = ""
        while True:
            text, part = await done(doors, tool, cursor=cursor, limit=1_000)
            assert len(text.encode()) <= 80_000
            assert len(json.dumps(part)) <= 80_000
            seen += [entry[key] for entry in part[entries]]
            if "cursor" not in part:
                break
            cursor = part["cursor"]
        assert len(seen) == len(set(seen)) == part["total"] >= 300


async def test_what_happened_is_told_in_parts(doors: Doors) -> None:
    start = await head_of(doors)
    await done(doors, "write_note", path="A", content="one", commit_message="First line\n\nMore.")
    await done(doors, "rename_note", path="A", new_path="B", redirect=False)
    await done(doors, "write_note", path="B", content="two", revision=await doors.revision("B"))
    text, recent = await done(doors, "get_recent_changes", limit=2)
    assert text.startswith("2 recent changes:\n(Of 4; go on with cursor=")
    _, older = await done(doors, "get_recent_changes", cursor=recent["cursor"])
    assert [change["pages"] for change in recent["changes"] + older["changes"]][:3] == [["B"], ["A", "B"], ["A"]]
    assert (await done(doors, "get_recent_changes", limit=-5))[1]["changes"] == recent["changes"][:1]
    text, history = await done(doors, "get_history", path="B", limit=1)
    assert text.startswith("History for B (1 revisions):\n(Older ones: go on with cursor=")
    _, rest = await done(doors, "get_history", path="B", cursor=history["cursor"])
    assert [entry["message"] for entry in rest["revisions"]] == ["[api] Rename: A -> B", "First line More."]
    assert "begin again without one" in await refused(doors, "get_history", path="B", cursor="0" * 40)
    text, first = await done(doors, "get_changes", since=start[:10], limit=2)
    assert text.startswith("2 changes:\n(There are more: go on with cursor=")
    assert [(change["path"], change["change"]) for change in first["changes"]] == [("A", "created"), ("B", "renamed")]
    assert first["changes"][1]["renamed_from"] == "A"
    assert first["changes"][0]["agent"] == "laptop"
    _, last = await done(doors, "get_changes", since=start, cursor=first["cursor"])
    assert [(change["path"], change["change"]) for change in last["changes"]] == [("B", "updated")]
    assert (last["more"], last["cursor"]) == (False, await head_of(doors))
    _, nothing = await done(doors, "get_changes", since=last["cursor"])
    assert (nothing["changes"], nothing["cursor"]) == ([], last["cursor"])


async def test_a_commit_of_more_pages_than_an_answer_holds_is_told_whole(doors: Doors) -> None:
    start = await head_of(doors)
    names = [f"Imported/{'long ' * 40}{number}" for number in range(300)]

    def bring(content: Content) -> None:
        for name in names:
            (content._home.repo / f"{name}.md").parent.mkdir(parents=True, exist_ok=True)
            (content._home.repo / f"{name}.md").write_text("x\n")
        git(content._home, "add", "-A")
        git(content._home, "commit", "-q", "-m", "All at once")

    await doors.contents.run(doors.wiki, bring)
    await done(doors, "write_note", path="Later", content="x")
    told: list[str] = []
    more, cursor = True, start
    while more:
        _, part = await done(doors, "get_changes", since=cursor)
        assert len(json.dumps(part)) < 100_000
        told += [change["path"] for change in part["changes"]]
        more, cursor = part["more"], part["cursor"]
    assert sorted(told) == sorted([*names, "Later"])
    assert cursor == await head_of(doors)


async def test_a_pushed_commit_says_who_pushed_it(doors: Doors) -> None:
    """Its author is whoever the pusher wrote there."""
    start = await head_of(doors)

    def push(content: Content) -> None:
        (content._home.repo / "Pushed.md").write_text("x\n")
        git(content._home, "add", "-A")
        git(content._home, "commit", "-q", "-m", "Pushed", "--author", "Ada Lovelace <ada@users.robot.test>")
        repository = Repository(content._home.repo)
        eve = Author("Eve (laptop)", "eve@robot.test", {"Robot-Via": "git"})
        note_push(repository, eve, onto=start, new=repository.head())
        repository.git.free()

    await doors.contents.run(doors.wiki, push)
    who = "Ada Lovelace, pushed by Eve (laptop)"
    for tool, list_of, more in (
        ("get_recent_changes", "changes", {}),
        ("get_history", "revisions", {"path": "Pushed"}),
        ("get_changes", "changes", {"since": start}),
    ):
        text, result = await done(doors, tool, **more)
        assert f" | {who}" in text
        assert result[list_of][0]["pushed_by"] == "Eve (laptop)"
        assert result[list_of][0]["revision"][:8] in text


async def test_the_wiki_tells_what_its_owner_asks(tmp_path: Path) -> None:
    doors = open_doors(tmp_path, Visibility.PUBLIC)
    doors.wiki = replace(doors.wiki, guidance="Write in short sentences.\nAsk before you delete.")
    text, info = await done(doors, "get_wiki_info")
    assert "\nGuidance of the owner:\nWrite in short sentences.\nAsk before you delete.\n" in text
    assert info["guidance"] == doors.wiki.guidance
    assert info["head"] == await head_of(doors)


async def test_an_agent_of_one_folder_is_told_of_its_own_broken_links(doors: Doors) -> None:
    await doors.seed({"Team/A": "[[Team/Gone]] [[Home]] [[Welcome]]", "B": "[[Team/Gone]] [[Away]]"})
    confined = an_agent(Scope.READ, Scope.WRITE, folder="Team/")
    broken = (await called(doors, "find_broken_links", confined))["structuredContent"]
    assert broken["links"] == [{"target": "Team/Gone", "linked_from": ["Team/A"], "linked_from_total": 1}]
    result = await called(doors, "append_note", confined, path="B", content="x")
    assert "Choose a name in that folder" in result["content"][0]["text"]
    assert not (await called(doors, "append_note", confined, path="Team/A", content="x"))["isError"]
    near = await called(doors, "read_note", confined, path="Welcom")
    assert "Nearest" not in near["content"][0]["text"]


async def test_a_page_that_is_not_utf8_keeps_its_bytes(doors: Doors) -> None:
    files = {"Latin.md": b"# A\nna\xefve\n"}
    await doors.contents.change(
        doors.wiki, lambda content: content.writer.commit(files, author=AUTHOR, message="From git")
    )
    revision = await doors.revision("Latin")
    sent = {"path": "Latin", "revision": revision}
    assert "not UTF-8" in await refused(doors, "append_note", path="Latin", content="x")
    assert "not UTF-8" in await refused(doors, "edit_section", **sent, section="A", content="x")
    await done(doors, "edit_note", **sent, old_string="# A", new_string="# B")

    def stored(content: Content) -> bytes:
        with content.snapshot() as snapshot:
            return snapshot.repository.read_blob(snapshot.page("Latin").blob)

    assert await doors.contents.run(doors.wiki, stored) == b"# B\nna\xefve\n"
