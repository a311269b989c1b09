"""Agents that listen to a running robot: what every door changes, who may hear it, and what a restart leaves of it."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import signal
from pathlib import Path

import pytest
import trio
from mcp import Client
from mcp.client.subscriptions import Subscription, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent

from tests.flow.test_agents import call, mcp_client, save
from tests.git_door.client import Git, address, new_token
from tests.harness import Robot, robot_command, running_robot
from tests.processes import wiki_repo

pytestmark = pytest.mark.flow

PATIENCE_S = 20


async def hear(stream: Subscription, name: str) -> None:
    """Wait until a new page was told of, as a page and in the list."""
    heard: set[ServerEvent] = set()
    with trio.fail_after(PATIENCE_S):
        while len(heard) < 2:
            heard.add(await anext(stream))
    assert heard == {ResourcesListChanged(), ResourceUpdated(f"wiki://demo/page/{name}")}


async def test_every_door_is_heard_until_the_token_is_revoked(robot: Robot, tmp_path: Path) -> None:
    doors = [f"{door}-{secrets.token_hex(4)}" for door in ("browser", "script", "agent", "git", "secret")]
    token = new_token(robot, "demo", "--read-only", "--name", f"listener {doors[0]}")
    follow = [f"wiki://demo/page/{name}" for name in doors]
    browser_page, rest_page, mcp_page, git_page, secret = doors
    cookies = robot.sign_in(robot.wiki)
    async with (
        mcp_client(robot) as writer,
        mcp_client(robot, token) as client,
        client.listen(resource_subscriptions=follow, resources_list_changed=True) as stream,
    ):
        with robot.client(cookies=cookies) as browser:
            assert save(browser, browser_page, "x", "Save").status_code == 302
        await hear(stream, browser_page)
        with robot.agent() as script:
            assert script.put(f"/api/v1/pages/{rest_page}", json={"content": "x"}).status_code == 201
        await hear(stream, rest_page)
        await call(writer, "write_note", path=mcp_page, content="x")
        await hear(stream, mcp_page)
        copy = Git(tmp_path).clone(address(robot, robot.token), "copy")
        copy.write({f"{git_page}.md": "x"})
        copy("push", "-q")
        await hear(stream, git_page)
        listed = robot_command("token", "list", "demo", data=robot.data, port=robot.port).stdout
        token_id = next(line.split("\t")[0] for line in listed.splitlines() if doors[0] in line)
        revoked = robot_command("token", "revoke", "demo", token_id, data=robot.data, port=robot.port)
        assert revoked.returncode == 0, revoked.stderr
        await call(writer, "write_note", path=secret, content="x")
        with trio.fail_after(PATIENCE_S), pytest.raises(StopAsyncIteration):
            await anext(stream)


async def killed_while_it_works(robot: Robot, client: Client) -> None:
    """A client listens, and its call, which asked for progress, waits for a lock; then robot is killed."""
    lost: list[Exception] = []

    streams = trio.Event()

    async def hear_progress(progress: float, total: float | None, message: str | None) -> None:
        streams.set()

    async def write() -> None:
        try:
            await client.call_tool("write_note", {"path": "Lost", "content": "x"}, progress_callback=hear_progress)
        except MCPError as error:
            lost.append(error)

    async def listen(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            async with client.listen(resources_list_changed=True) as stream:
                task_status.started()
                await anext(stream)
        except SubscriptionLost as error:
            lost.append(error)

    lock = wiki_repo(robot.data).parent / "write.lock"
    with lock.open() as held, trio.fail_after(PATIENCE_S):
        fcntl.flock(held, fcntl.LOCK_EX)
        async with trio.open_nursery() as nursery:
            await nursery.start(listen)
            nursery.start_soon(write)
            await streams.wait()
            robot.process.send_signal(signal.SIGKILL)
    robot.process.wait(PATIENCE_S)
    assert len(lost) == 2


async def stopped_while_calls_run(robot: Robot, stream: Subscription) -> None:
    """Calls of both protocols wait for a lock when robot is to stop: streams end then, and the calls afterwards."""
    answers: list[str] = []

    async def write(mode: str, *, task_status: trio.TaskStatus[None]) -> None:
        async def hear_progress(progress: float, total: float | None, message: str | None) -> None:
            with contextlib.suppress(RuntimeError):  # it is told more than once
                task_status.started()

        page = {"path": f"Late {mode}", "content": "x"}
        async with mcp_client(robot, mode=mode) as client:
            await client.list_tools()  # which the client would ask for when it has the result
            result = await client.call_tool("write_note", page, progress_callback=hear_progress)
            answers.append(f"{mode}: {'failed' if result.is_error else 'written'}")

    lock = wiki_repo(robot.data).parent / "write.lock"
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            with lock.open() as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                await nursery.start(write, "legacy")
                await nursery.start(write, "auto")
                robot.process.send_signal(signal.SIGTERM)
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
                assert not answers
    assert sorted(answers) == ["auto: written", "legacy: written"]


async def test_a_client_goes_on_after_a_kill_and_is_told_of_a_stop(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_robot(data) as first:
        async with mcp_client(first) as client:
            await killed_while_it_works(first, client)
            with running_robot(data, port=first.port) as second:
                assert "robot" in await call(client, "read_note", path="Home")
                async with client.listen(resource_subscriptions=["wiki://demo/page/After"]) as stream:
                    await call(client, "write_note", path="After", content="x")
                    with trio.fail_after(PATIENCE_S):
                        assert await anext(stream) == ResourceUpdated("wiki://demo/page/After")
                    await stopped_while_calls_run(second, stream)
                assert await trio.to_thread.run_sync(second.process.wait, PATIENCE_S) == 0
    assert "Traceback" not in second.stderr()
