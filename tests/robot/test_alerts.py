"""Alerts on their way: kept, sent once by every way, tried again, and never with a secret in what is said."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from robot.alerts import mail
from robot.alerts.book import KEPT_S, list_standing, list_undelivered, list_waiting
from robot.alerts.conditions import MIB, BackupFacts, Bounds, Facts
from robot.alerts.decisions import CALM_S
from robot.alerts.delivery import FIRST_RETRY_S, LONGEST_RETRY_S, Delivery, retry_after_s
from robot.alerts.facts import Sources
from robot.alerts.mail import Mail, Security
from robot.alerts.message import Message, trial_message
from robot.alerts.runs import noted_run, unclean_ends
from robot.alerts.watch import Watch
from robot.alerts.ways import NotSent, Way
from robot.alerts.webhook import Webhook
from robot.audit import OPERATOR
from robot.cli import cli
from robot.clock import moment
from robot.crash_policy import LOOP_S, Crashes
from robot.db import DatabaseFailed, DatabaseFull
from robot.fetch import Door
from robot.standing import set_operator
from tests.robot.small_host import ADDRESS, FakeClock, SmallHost, text_of
from tests.robot.smtp_server import Post, smtp_server
from tests.robot.tls_server import Server, reply, tls_server
from wikihost.fleet import WorkerStatus

HOST = "wiki.test"
SECRET = "T0SECRET"
WELL = Facts(now=0.0, disk_free=99 * MIB, backups=BackupFacts(0.0, 0.0))
FULL = Facts(now=0.0, disk_free=1 * MIB, backups=BackupFacts(0.0, 0.0))


class Chat:
    """What takes alerts at an https address, while it is `open`."""

    def __init__(self) -> None:
        self.open = True
        self.told: list[dict[str, str]] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if not self.open:
            return reply(handler, 500, b"no")
        assert handler.headers["Content-Type"] == "application/json"
        self.told.append(json.loads(body))
        return reply(handler, 204)


class Host:
    """A host of which a test says how it is; `start` is a start of robot on the same data."""

    def __init__(self, small: SmallHost, *ways: Way) -> None:
        self.small, self.ways, self.facts = small, ways, WELL
        self.clock, self.steady = FakeClock(), FakeClock(0.0)
        self.start()

    def start(self) -> None:
        delivery = Delivery(self.small.db, self.ways, HOST, clock=self.clock)
        self.watch = Watch(
            self.small.db, self._gather, Bounds(50 * MIB, 0.0), delivery, clock=self.clock, steady=self.steady
        )

    async def _gather(self) -> Facts:
        return self.facts

    async def look(self, after_s: float = 60.0) -> None:
        self.clock.now += after_s
        self.steady.now += after_s
        await self.watch.look()


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
def server(tmp_path: Path, chat: Chat) -> Iterator[Server]:
    with tls_server(tmp_path, chat) as running:
        yield running


def webhook(server: Server) -> Webhook:
    return Webhook(server.url(f"/services/{SECRET}"), server.door())


async def test_a_trouble_is_told_once_and_its_end_once_whatever_restarts(
    host: SmallHost, server: Server, chat: Chat
) -> None:
    it = Host(host, webhook(server))
    await it.look()
    it.facts = FULL
    for _ in range(3):
        await it.look()
    it.start()
    await it.look()
    it.facts = WELL
    await it.look()
    it.facts = FULL  # and back, before it was over
    await it.look()
    it.facts = WELL
    await it.look()
    await it.look(CALM_S)
    await it.look(CALM_S)
    assert [(told["event"], told["alert"], told["host"]) for told in chat.told] == [
        ("began", "disk", HOST),
        ("over", "disk", HOST),
    ]
    for told in chat.told:
        assert told["text"] == told["content"]
        assert "1 MiB are free" in told["text"]
    assert "Make room" in chat.told[0]["text"]
    assert list_standing(host.db) == []


async def test_what_cannot_be_sent_waits_in_order_and_is_said_once(
    host: SmallHost, server: Server, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    it, chat.open = Host(host, webhook(server)), False
    it.facts = FULL
    await it.look()
    await it.look(30)  # too early to try again
    assert len(server.seen) == 1
    await it.look(30)
    it.start()
    it.facts = WELL
    await it.look()
    await it.look(CALM_S)
    (undelivered,) = list_undelivered(host.db)
    assert (undelivered.way, undelivered.count) == ("webhook", 2)
    assert "answered with status 500" in undelivered.sentence
    assert chat.told == []
    assert [record.message for record in caplog.records].count(
        "alerts do not leave by webhook and are tried again: wiki.example.org answered with status 500."
    ) == 1
    chat.open = True
    await it.look(LONGEST_RETRY_S)
    assert [told["event"] for told in chat.told] == ["began", "over"]
    assert list_undelivered(host.db) == []
    assert SECRET not in caplog.text
    assert SECRET not in repr(it.ways)


async def test_a_message_that_nobody_needs_any_more_is_given_up(host: SmallHost, server: Server, chat: Chat) -> None:
    it, chat.open = Host(host, webhook(server)), False
    it.facts = FULL
    await it.look()
    await it.look(KEPT_S + 1)
    # What began so long ago is told as what it is now: still so.
    assert [waiting.message.kind for waiting in list_waiting(host.db, "webhook", HOST)] == ["still"]
    it.ways = ()  # the operator took the way out of the settings
    it.start()
    await it.look()
    assert list_waiting(host.db, "webhook", HOST) == []


async def test_a_clock_that_goes_back_keeps_no_message(host: SmallHost, server: Server, chat: Chat) -> None:
    it, chat.open = Host(host, webhook(server)), False
    it.facts = FULL
    await it.look()
    chat.open = True
    it.clock.now -= 86_400
    await it.look()
    assert [told["event"] for told in chat.told] == ["began"]


async def test_one_way_that_fails_keeps_no_other_from_telling(
    host: SmallHost, server: Server, chat: Chat, tmp_path: Path
) -> None:
    with smtp_server(tmp_path, "none") as post:
        it = Host(host, webhook(server), Mail(post.server("none"), "robot@wiki.test", ("op@example.org",)))
        it.facts, chat.open = FULL, False
        await it.look()
    assert [letter["subject"] for letter in post.letters] == [
        "[wiki.test] Only 1 MiB are free on the disk of the data directory."
    ]
    assert [each.way for each in list_undelivered(host.db)] == ["webhook"]


async def test_a_disk_that_takes_nothing_is_told_all_the_same(host: SmallHost, server: Server, chat: Chat) -> None:
    it = Host(host, webhook(server))
    it.facts = FULL
    pages = host.db.all("PRAGMA page_count")[0][0]
    host.db._writer.execute(f"PRAGMA max_page_count = {pages}")  # as on a full disk
    with suppress(DatabaseFull):
        while True:
            await host.db.write(leave_less_room)
    for _ in range(3):
        with pytest.raises(DatabaseFull):
            await it.look()
    assert [told["event"] for told in chat.told] == ["began"]
    host.db._writer.execute("PRAGMA max_page_count = 100000")
    await it.look()
    assert [one.alert.name for one in list_standing(host.db)] == ["disk"]


async def test_what_was_sent_is_not_sent_again_because_that_cannot_be_noted(
    host: SmallHost, server: Server, chat: Chat
) -> None:
    class LastWrite:
        """Nothing can be written once it has sent."""

        name = "webhook"

        async def send(self, message: Message) -> None:
            await webhook(server).send(message)
            host.db._writer.execute("PRAGMA query_only = 1")

    it = Host(host, LastWrite())
    it.facts = FULL
    with pytest.raises(DatabaseFailed):
        await it.look()
    host.db._writer.execute("PRAGMA query_only = 0")
    await it.look()
    assert len(chat.told) == 1
    assert list_waiting(host.db, "webhook", HOST) == []


async def test_facts_are_what_the_parts_and_the_database_say(host: SmallHost) -> None:
    wiki, crashes = await host.make_wiki("notes"), Crashes()
    host.workers.append(WorkerStatus(wiki.id, "broken", 0, 5, None, None, "it ended"))
    crashes.note("activity", goes_on=False)
    sources = Sources(host.db, host.machine, crashes, lambda: 3, wants_index=True, clock=lambda: 2e9)
    facts = await sources.gather()
    assert (facts.broken_wikis, facts.zygote_failures, facts.missing_parts) == (["notes"], 3, ["activity"])
    assert facts.disk_free > 0
    assert facts.backups.age_s is None
    assert facts.backups.needed_s > 0
    row = (
        "INSERT INTO backups (id, destination, started_at, mark_at, finished_at, problem) VALUES (?, '/b', ?, 1, 2, ?)"
    )
    await host.db.write(lambda connection: connection.executemany(row, [("1", 1, ""), ("2", 2, "It is full.")]))
    backups = (await sources.gather()).backups
    assert backups.problem == "It is full."
    assert backups.age_s is not None
    await host.db.write(lambda connection: connection.execute(row, ("3", 0, "")))  # the clock was put back
    assert (await sources.gather()).backups.problem == ""


def leave_less_room(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO alert_messages (way, made_at, kind, alert, sentence, remedy, next_at)"
        " VALUES ('none', 0, 'began', '', '', '', 0)"
    )


def test_tries_come_later_and_later() -> None:
    waits = [retry_after_s(tries) for tries in range(1, 2_000)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_RETRY_S, LONGEST_RETRY_S)


def message() -> Message:
    return trial_message(HOST, moment(1_900_000_000))


def by(post: Post, security: Security, password: str = "the-smtp-password") -> Mail:
    return Mail(post.server(security, password), "robot@wiki.test", ("op@example.org", "two@example.org"))


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")  # the server does not see that all of it is TLS
@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
async def test_mail_goes_to_a_real_server(tmp_path: Path, security: Security) -> None:
    with smtp_server(tmp_path, security) as post:
        await by(post, security).send(message())
        (letter,) = post.letters
    assert (letter["from"], letter["to"]) == ("robot <robot@wiki.test>", "op@example.org, two@example.org")
    assert letter["subject"] == "[wiki.test] This is a test: alerts of this host arrive here."
    assert letter["auto-submitted"] == "auto-generated"
    assert "robot at wiki.test" in letter.get_content()


async def test_mail_that_is_refused_says_why_without_secrets(tmp_path: Path) -> None:
    with smtp_server(tmp_path, "starttls") as post:
        with pytest.raises(NotSent, match="refused alert_smtp_user"):
            await by(post, "starttls", "a-wrong-password").send(message())
        with pytest.raises(NotSent, match=r"code 530"):  # it wants STARTTLS first
            await by(post, "none").send(message())
        with pytest.raises(NotSent, match="ASCII letters only"):
            await by(post, "starttls", "pässword").send(message())
        post.refuses = True
        with pytest.raises(NotSent, match=r"refused the message \(code 554\)\.$"):
            await by(post, "starttls").send(message())
        stranger = Mail(
            mail.Server("localhost", post.port, "starttls"), "robot@wiki.test", ("op@example.org",)
        )  # by the machine's own authorities
        with pytest.raises(NotSent, match="certificate"):
            await stranger.send(message())
    with smtp_server(tmp_path, "none") as post, pytest.raises(NotSent, match="no STARTTLS"):
        await by(post, "starttls").send(message())
    with pytest.raises(NotSent, match="cannot be reached"):
        await by(post, "none").send(message())


async def test_a_mail_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "SEND_S", 0.05)
    release = threading.Event()
    monkeypatch.setattr(mail, "_hand_over", lambda *_: release.wait(10))
    slow = Mail(mail.Server("localhost", 9, "none"), "robot@wiki.test", ("op@example.org",))
    try:
        with pytest.raises(NotSent, match="within"):
            await slow.send(message())
    finally:
        release.set()


async def test_a_webhook_in_a_private_network_is_asked_only_where_that_is_wanted(server: Server) -> None:
    private = Webhook(server.url(f"/{SECRET}", "127.0.0.1"), Door(ca_file=server.ca_file))
    with pytest.raises(NotSent, match="not on the public internet") as refused:
        await private.send(message())
    assert SECRET not in str(refused.value)
    assert server.seen == []


async def test_a_run_that_was_killed_is_known_at_the_next_start(host: SmallHost) -> None:
    clock = FakeClock(1_000.0)
    async with noted_run(host.db, clock=clock):
        pass
    with pytest.raises(OSError, match="broken"):
        async with noted_run(host.db, clock=clock):
            raise OSError("broken")
    assert unclean_ends(host.db) == []  # nobody started since
    clock.now = 2_000.0
    async with noted_run(host.db, clock=clock):
        assert unclean_ends(host.db) == [2_000.0]


async def test_a_part_that_fails_often_is_known(autojump_clock: trio.testing.MockClock) -> None:
    crashes = Crashes()
    for _ in range(2):
        crashes.note("search", goes_on=True)
    assert crashes.looping() == []
    crashes.note("search", goes_on=True)
    crashes.note("activity", goes_on=False)
    assert (crashes.looping(), crashes.missing()) == (["search"], ["activity"])
    await trio.sleep(LOOP_S + 1)
    assert (crashes.looping(), crashes.missing()) == ([], ["activity"])


async def test_the_operators_page_and_the_command_line_show_what_is_wrong(
    host: SmallHost, server: Server, chat: Chat
) -> None:
    it, chat.open = Host(host, webhook(server)), False
    await set_operator(host.db, host.ada, is_operator=True, by=OPERATOR)
    ada = await host.signed_in(host.ada)
    quiet = await text_of(await ada.get(ADDRESS.platform_origin, "/app/admin"))
    assert "Nothing is wrong" in quiet
    it.facts = FULL
    await it.look()
    shown = await text_of(await ada.get(ADDRESS.platform_origin, "/app/admin"))
    for part in ("Only 1 MiB are free", "Make room", "A message waits to leave by webhook"):
        assert part in shown, part
    environment = {
        "ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(host.data.root), "ROBOT_EMBEDDING_MODEL": "none"
    }  # fmt: skip
    for verb in (["alert", "list"], ["check"]):
        said = await trio.to_thread.run_sync(CliRunner(env=environment).invoke, cli, verb)
        assert "A message waits to leave by webhook" in said.output, verb
    assert (
        "Only 1 MiB are free"
        in (await trio.to_thread.run_sync(CliRunner(env=environment).invoke, cli, ["alert", "list"])).output
    )


def test_the_command_tries_every_way_and_keeps_secrets(tmp_path: Path) -> None:
    secret = tmp_path / "webhook"
    secret.write_text(f"https://127.0.0.1:9/{SECRET}\n")
    with smtp_server(tmp_path, "none") as post:
        environment = {
            "ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(tmp_path / "data"), "ROBOT_ALERT_WEBHOOK_FILE": str(secret),
            "ROBOT_ALERT_MAIL_TO": "op@example.org", "ROBOT_ALERT_SMTP_PORT": str(post.port),
            "ROBOT_ALERT_SMTP_SECURITY": "none",
        }  # fmt: skip
        said = CliRunner(env=environment).invoke(cli, ["alert", "test"])
    assert said.exit_code == 1
    assert said.output.splitlines() == [
        "webhook: not sent. 127.0.0.1 is not on the public internet, so it is not asked.",
        "mail: sent. Look whether it arrived.",
    ]
    assert len(post.letters) == 1
