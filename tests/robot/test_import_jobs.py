"""Imports under way: how many there are, who waits, and what becomes of them when the world goes on meanwhile."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from robot.access import grant_role
from robot.audit import OPERATOR
from robot.deletion import delete_wiki_for_now
from robot.imports import jobs
from robot.imports.jobs import Job, Stage, TooManyImports
from robot.model import Role
from robot.standing import suspend
from tests.robot.import_site import Site, begin, running, settled, until, wiki_of
from tests.robot.small_host import SmallHost, end_for_good, withdraw_role
from wikihost.content import Content
from wikihost.lifecycle import delete_wiki


async def test_a_fourth_import_takes_the_place_of_the_oldest(site: Site) -> None:
    wiki, begun = await wiki_of(site), []
    for _ in range(4):
        begun.append(await begin(site.host, wiki, site.host.ada))
        await settled(begun[-1])
    imports = site.host.imports
    assert [imports.find(site.host.ada, wiki, job.id) is not None for job in begun] == [False, True, True, True]


async def test_imports_at_work_are_counted(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")

    async def stuck(*arguments: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(jobs, "prepare", stuck)
    with pytest.raises(TooManyImports, match="starting"):
        await begin(host, wiki, host.ada)
    async with running(host.imports):
        found = [await begin(host, wiki, host.ada) for _ in range(3)]
        with pytest.raises(TooManyImports, match="three imports"):
            await begin(host, wiki, host.ada)
        await begin(host, wiki, host.eve)
        host.imports.drop(found[0])
        await begin(host, wiki, host.ada)
    assert all(job.stage is Stage.LOOKING for job in found)
    # The next run of the part knows that nobody works on them any more.
    async with running(host.imports):
        assert found[1].stage is Stage.FAILED
        assert "begin again" in found[1].problem


async def test_what_nobody_confirms_is_swept(host: SmallHost, mock_clock: trio.testing.MockClock) -> None:
    wiki = await host.make_wiki("notes")
    async with running(host.imports):
        job = await begin(host, wiki, host.ada)
        await settled(job)
        assert job.stage is Stage.READY
        mock_clock.jump(jobs.KEPT_S - 1)
        await trio.testing.wait_all_tasks_blocked()
        assert host.imports.find(host.ada, wiki, job.id) is job
        mock_clock.jump(120)
        await until(lambda: not job.root.exists())
        assert host.imports.find(host.ada, wiki, job.id) is None


async def test_a_dropped_import_at_work_writes_nothing(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")
    async with running(host.imports):
        job = await begin(host, wiki, host.ada)
        await settled(job)

        def dropped_meanwhile(at: Job, done: int, total: int) -> None:
            trio.from_thread.run_sync(host.imports.drop, at)
            trio.from_thread.check_cancelled()

        monkeypatch.setattr(jobs, "_tell", dropped_meanwhile)
        host.imports.confirm(job)
        await until(lambda: not job.root.exists())

    def read(content: Content) -> set[str]:
        return {page.path for page in content.list_pages()}

    assert "New" not in await host.contents.run(wiki, read)


async def test_imports_that_are_over_stand_in_nobodys_way(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 2)
    wiki = await host.make_wiki("notes")
    async with running(host.imports):
        done = [await begin(host, wiki, host.ada) for _ in range(2)]
        for job in done:
            await settled(job)
        with pytest.raises(TooManyImports, match="Many people"):
            await begin(host, wiki, host.eve)
        host.imports.confirm(done[0])
        await until(lambda: done[0].stage is Stage.DONE)
        await begin(host, wiki, host.eve)
    assert host.imports.find(host.ada, wiki, done[0].id) is None
    assert host.imports.find(host.ada, wiki, done[1].id) is not None


@pytest.mark.parametrize("when", ["before", "while"])
async def test_a_wiki_that_is_deleted_meanwhile_does_not_come_back(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    wiki = await host.make_wiki("notes")
    home = host.data.wiki(wiki.id)
    async with running(host.imports):
        job = await begin(host, wiki, host.ada)
        await settled(job)
        if when == "before":
            await end_for_good(host, wiki)
        else:
            monkeypatch.setattr(jobs, "_tell", lambda job, done, total: delete_wiki(home))
        host.imports.confirm(job)
        await settled(job)
    assert job.stage is Stage.FAILED
    assert "Something broke" not in job.problem
    assert not home.root.exists()
    assert not list(host.data.transfers.iterdir())


@pytest.mark.parametrize("what", ["lowered", "removed", "suspended", "wiki deleted"])
async def test_who_may_not_write_any_more_brings_nothing_in(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)

    async def meanwhile() -> None:
        match what:
            case "lowered":
                await grant_role(host.db, host.eve, wiki, Role.VIEWER)
            case "removed":
                await withdraw_role(host.db, host.eve, wiki)
            case "suspended":
                await suspend(host.db, host.eve, "", by=OPERATOR)
            case _:
                await delete_wiki_for_now(host.db, wiki, OPERATOR)

    async with running(host.imports):
        job = await begin(host, wiki, host.eve)
        await settled(job)
        before = await host.contents.run(wiki, lambda content: content.head())
        monkeypatch.setattr(jobs, "_tell", lambda job, done, total: trio.from_thread.run(meanwhile))
        host.imports.confirm(job)
        await settled(job)
    assert (job.stage, job.problem) == (Stage.FAILED, "You may not write to this wiki any more. Nothing was written.")
    assert await host.contents.run(wiki, lambda content: content.head()) == before
