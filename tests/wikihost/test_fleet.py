"""Workers come, go, fail and come back: real zygotes, real workers, real signals."""

from __future__ import annotations

import html
import os
import signal
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.wikihost.fleets import (
    PATIENCE_S,
    Changes,
    ask,
    children_of,
    eventually,
    hosted,
    is_running,
    running_fleet,
    save,
    state_of,
    text_at_head,
)
from wikihost import zygote
from wikihost.fleet import Fleet, FleetOptions, FleetStopping, HostedWiki, StillWaking, WorkerBroken

QUICK = FleetOptions(wake_timeout_s=PATIENCE_S)


async def test_first_requests_at_once_share_one_wake(tmp_path: Path) -> None:
    wiki, pids = hosted(tmp_path), set()
    async with running_fleet(tmp_path / "run") as fleet:

        async def visit() -> None:
            async with fleet.lease(wiki) as worker:
                pids.add(worker.pid)
                assert (await ask(worker, "/Home")).status == 200

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(visit)
        assert len(pids) == 1
        assert fleet.late_binding is True


async def test_an_idle_worker_is_stopped_and_a_leased_one_is_not(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run", replace(QUICK, idle_s=0.1)) as fleet:
        async with fleet.lease(wiki) as worker:
            await trio.sleep(0.3)
            assert state_of(fleet, wiki) == "ready"
        await eventually(lambda: state_of(fleet, wiki) == "asleep")
        assert not is_running(worker.pid)
        assert list((tmp_path / "run").glob("*.sock")) == []
        (wiki.home.scratch / "left").mkdir()
        (wiki.home.scratch / "left" / "by one that was killed").touch()
        async with fleet.lease(wiki) as again:
            assert again.generation > worker.generation
            assert list(wiki.home.scratch.iterdir()) == []
            assert (await ask(again, "/Home")).status == 200


async def test_the_worker_unused_for_longest_makes_room(tmp_path: Path) -> None:
    wikis = [hosted(tmp_path, name) for name in ("one", "two", "three")]
    async with running_fleet(tmp_path / "run", replace(QUICK, max_awake=2)) as fleet:
        for wiki in wikis[:2]:
            async with fleet.lease(wiki):
                pass
        async with fleet.lease(wikis[0]), fleet.lease(wikis[2]):
            await eventually(lambda: state_of(fleet, wikis[1]) == "asleep")
            # All that are awake are in use: one more is woken rather than one taken away.
            async with fleet.lease(wikis[1]):
                assert [state_of(fleet, wiki) for wiki in wikis] == ["ready"] * 3


async def test_a_running_worker_learns_what_its_wiki_is_called_now(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        assert wiki.site_name in (await ask(worker, "/Home")).text
        for name in ("Renamed <&", "Again Łódź"):
            renamed = replace(wiki, site_name=name, platform_url=f"http://robot.localhost/{len(name)}")
            others: list[str] = []

            async def visit(renamed: HostedWiki = renamed, others: list[str] = others) -> None:
                async with fleet.lease(renamed) as same:
                    assert same == worker, "requests that it has are not disturbed"
                    others.append((await ask(same, "/Home")).text)

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(visit)
            assert len(others) == 3
            for text in others:
                assert html.escape(name) in text
                assert renamed.platform_url in text
                assert wiki.site_name not in text


async def test_what_the_owner_called_it_in_otter_wiki_stays(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        own = {"update_preferences": "true", "site_name": "The owner's", "site_description": ""}
        assert (await ask(worker, "/-/admin", form=own)).status == 302
        async with fleet.lease(replace(wiki, site_name="Renamed")) as same:
            assert "The owner" in (await ask(same, "/Home")).text


async def test_a_worker_that_dies_when_it_is_told_is_replaced_by_one_that_knows(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    renamed = replace(wiki, site_name="Renamed")
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        os.kill(worker.pid, signal.SIGSTOP)  # it hears nothing
        async with trio.open_nursery() as nursery:

            async def visit() -> None:
                async with fleet.lease(renamed) as other:
                    assert other.generation > worker.generation
                    assert "Renamed" in (await ask(other, "/Home")).text

            nursery.start_soon(visit)
            await trio.testing.wait_all_tasks_blocked()
            os.kill(worker.pid, signal.SIGKILL)


async def test_a_killed_worker_is_back_for_the_next_lease(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet:
        async with fleet.lease(wiki) as worker:
            assert (await save(worker, "Page", "kept\n")).status == 302
            os.kill(worker.pid, signal.SIGKILL)
            await eventually(lambda: not is_running(worker.pid))
            started = trio.current_time()
            async with fleet.lease(wiki) as next_worker:
                assert "kept" in (await ask(next_worker, "/Page")).text
            assert trio.current_time() - started < 2
        assert [row.failures for row in fleet.status()] == [1]


async def test_connections_of_a_dead_worker_are_dropped(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        waiting = await trio.open_unix_socket(worker.socket_path)
        await waiting.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        os.kill(worker.pid, signal.SIGKILL)
        with trio.fail_after(PATIENCE_S):
            with suppress(trio.BrokenResourceError):  # a reset says the same
                assert await waiting.receive_some() == b""


async def test_a_hung_worker_is_found_killed_and_replaced(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    options = replace(QUICK, probe_interval_s=0.1, probe_timeout_s=4)
    async with running_fleet(tmp_path / "run", options) as fleet:
        async with fleet.lease(wiki) as worker:
            os.kill(worker.pid, signal.SIGSTOP)
            await eventually(lambda: not is_running(worker.pid))
        async with fleet.lease(wiki) as again:
            assert (await ask(again, "/Home")).status == 200
            assert again.pid != worker.pid


async def test_a_repository_that_cannot_be_read_fails_the_probe_and_opens_the_breaker(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    options = replace(QUICK, probe_interval_s=0.05, breaker_failures=2, breaker_cooldown_s=0.5, backoff_s=0.01)
    async with running_fleet(tmp_path / "run", options) as fleet:
        async with fleet.lease(wiki):
            (wiki.home.git_dir / "HEAD").rename(wiki.home.root / "HEAD")
            await eventually(lambda: state_of(fleet, wiki) == "backoff")
        with pytest.raises(WorkerBroken) as broken:
            await lease_until_it_breaks(fleet, wiki)
        assert broken.value.reason
        assert [row.reason for row in fleet.status()] == [broken.value.reason]
        (wiki.home.root / "HEAD").rename(wiki.home.git_dir / "HEAD")
        await trio.sleep(options.breaker_cooldown_s)
        async with fleet.lease(wiki) as worker:
            assert (await ask(worker, "/Home")).status == 200


async def lease_until_it_breaks(fleet: Fleet, wiki: HostedWiki) -> None:
    with trio.fail_after(PATIENCE_S):
        while True:
            async with fleet.lease(wiki) as worker:
                await eventually(lambda: not is_running(worker.pid))


async def test_a_killed_zygote_comes_back_and_its_wikis_wake_again(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    async with running_fleet(tmp_path / "run") as fleet:
        async with fleet.lease(wiki) as worker:
            assert fleet.zygote_failures == 0
            (parent,) = [pid for pid in children_of(os.getpid()) if worker.pid in children_of(pid)]
            os.kill(parent, signal.SIGKILL)
            await eventually(lambda: not is_running(worker.pid))
        async with fleet.lease(wiki) as again:
            assert (await ask(again, "/Home")).status == 200
            assert fleet.zygote_failures == 1
        assert [row.failures for row in fleet.status()] == [0]


async def test_a_hung_zygote_is_killed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = hosted(tmp_path, "one"), hosted(tmp_path, "two")
    monkeypatch.setattr(zygote, "SPAWN_S", 3.0)
    async with running_fleet(tmp_path / "run") as fleet:
        async with fleet.lease(one) as worker:
            (parent,) = [pid for pid in children_of(os.getpid()) if worker.pid in children_of(pid)]
            os.kill(parent, signal.SIGSTOP)
        async with fleet.lease(two) as worker:
            assert (await ask(worker, "/Home")).status == 200
        assert not is_running(parent)


# An Otter Wiki release that keeps its storage where we do not find it would look like this.
FORGETFUL = """
from wikihost.child import otter

bind = otter.bind

def bind_all_but_the_storage(server, spec):
    kind = type(server.storage)
    become, kind.__init__ = kind.__init__, lambda *_, **__: None
    bind(server, spec)
    kind.__init__ = become

otter.bind = bind_all_but_the_storage
"""


async def test_where_late_binding_fails_workers_import_after_the_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiki, environment = hosted(tmp_path), zygote._environment()
    (tmp_path / "sitecustomize.py").write_text(FORGETFUL)
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    monkeypatch.setattr(zygote, "_environment", lambda: environment)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
        assert fleet.late_binding is False
        assert (await save(worker, "Page", "text\n")).status == 302
        assert "text" in (await ask(worker, "/Page")).text
        assert wiki.site_name in (await ask(worker, "/Page")).text
    assert text_at_head(wiki, "Page.md") == "text\n"


async def test_a_wiki_that_does_not_wake_in_time_says_when_to_ask_again(tmp_path: Path) -> None:
    async with running_fleet(tmp_path / "run", replace(QUICK, wake_timeout_s=0.01)) as fleet:
        with pytest.raises(StillWaking) as waking:
            async with fleet.lease(hosted(tmp_path)):
                pass
        assert waking.value.retry_after_s > 0


async def test_a_wiki_without_files_is_broken_with_a_reason(tmp_path: Path) -> None:
    wiki = hosted(tmp_path)
    wiki.home.root.rename(tmp_path / "elsewhere")
    options = replace(QUICK, breaker_failures=2, backoff_s=0.01)
    failed: list[None] = []
    fleet = Fleet(tmp_path / "run", options, lambda *_: None, on_failed=lambda: failed.append(None))
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        with pytest.raises(WorkerBroken, match="Error"):
            async with fleet.lease(wiki):
                pass
        nursery.cancel_scope.cancel()
    assert len(failed) == 2


async def test_stale_sockets_and_a_deep_directory_do_not_matter(tmp_path: Path) -> None:
    wiki, run_dir = hosted(tmp_path), tmp_path / ("deep" * 40) / "run"
    run_dir.mkdir(parents=True)
    for name in ("a.1.sock", f"{wiki.wiki_id}.1.sock"):
        with socket.socket(socket.AF_UNIX) as stale:
            descriptor = os.open(run_dir, os.O_RDONLY)
            stale.bind(f"/proc/self/fd/{descriptor}/{name}")
            os.close(descriptor)
    async with running_fleet(run_dir) as fleet, fleet.lease(wiki) as worker:
        assert (await ask(worker, "/Home")).status == 200
        assert run_dir.stat().st_mode & 0o777 == 0o700
        assert not (run_dir / "a.1.sock").exists()


async def test_the_end_of_a_worker_is_told_with_its_socket(tmp_path: Path) -> None:
    wiki, gone = hosted(tmp_path), Changes()
    waits: list[float] = []
    fleet = Fleet(tmp_path / "run", QUICK, lambda *_: None, gone, waits.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        paths = []
        for _ in range(2):
            async with fleet.lease(wiki) as worker:
                paths.append(worker.socket_path)
            await fleet.stop_worker(wiki.wiki_id)
        assert gone.heard == paths
        assert len(waits) == 2
        assert all(0 < wait_s < PATIENCE_S for wait_s in waits)
        nursery.cancel_scope.cancel()


async def test_stopping_is_quick_whatever_a_worker_does(tmp_path: Path) -> None:
    one, two = hosted(tmp_path, "one"), hosted(tmp_path, "two")
    fleet = Fleet(tmp_path / "run", QUICK, lambda *_: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        async with fleet.lease(one) as well, fleet.lease(two) as hung:
            os.kill(hung.pid, signal.SIGSTOP)
            started = trio.current_time()
            nursery.cancel_scope.cancel()
    assert trio.current_time() - started < 5
    assert not is_running(well.pid)
    assert not is_running(hung.pid)
    with pytest.raises(FleetStopping):
        async with fleet.lease(one):
            pass
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        async with fleet.lease(one) as worker, fleet.lease(two):
            assert (await ask(worker, "/Home")).status == 200
        nursery.cancel_scope.cancel()
