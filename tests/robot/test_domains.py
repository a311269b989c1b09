"""Wanting a domain, showing that one may have it, and losing it: what DNS says decides."""

from __future__ import annotations

from dataclasses import dataclass

import idna
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.hosts import Host, OwnDomain, parse_host, split_host
from robot.audit import ROBOT, AuditAction, doer_of, list_entries
from robot.deletion import delete_wiki_for_now, undelete_wiki
from robot.domains.checking import Checks
from robot.domains.claims import Claim, claim_domain, find_claim, give_up
from robot.domains.evidence import LOOK_S, Unknown, gather_evidence
from robot.domains.judgement import PATIENCE
from robot.domains.names import Domain, InvalidDomain, parse_domain
from robot.domains.rechecks import RECHECK_S, Rechecks
from robot.model import Wiki
from robot.wikis import find_wiki, find_wiki_by_domain
from tests.robot.dns_zone import Zone
from tests.robot.small_host import ADDRESS, FakeClock, SmallHost, end_for_good

OWN = Domain("notes.example")
DAY_S = 24 * 3600


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("notes.example.org", "notes.example.org"),
        (" Notes.Example.ORG.\n", "notes.example.org"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("notes.wiki.test.example", "notes.wiki.test.example"),
        ("notwiki.test", "notwiki.test"),
        ("co.uk", "co.uk"),
    ],
)
def test_a_domain_is_read_as_dns_has_it(typed: str, name: str) -> None:
    assert parse_domain(typed, ADDRESS).name == name


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Type the domain"),
        ("https://notes.example", "Type only the name"),
        ("notes.example:8443", "Type only the name"),
        ("notes.example/wiki", "Type only the name"),
        ("*.example.org", "Type only the name"),
        ("a@notes.example", "Type only the name"),
        ("notes\x00.example", "Type only the name"),
        ("wiki.test", "this host's own"),
        ("WIKI.test.", "this host's own"),
        ("other.wiki.test", "this host's own"),
        ("a.b.wiki.test", "Names under wiki.test"),
        ("ｗｉｋｉ.test", "this host's own"),
        ("localhost", "full domain name"),
        ("127.0.0.1", "full domain name"),
        ("127.1", "full domain name"),
        ("0x7f.1", "full domain name"),
        ("2130706433", "full domain name"),
        ("①②⑦.0.0.①", "full domain name"),
        ("[::1]", "Type only the name"),
        ("-a.example", "not the name of a host"),
        ("a_b.example", "not the name of a host"),
        ("xn--a.example", "not the name of a host"),
        ("a..example", "not the name of a host"),
        ("x" * 64 + ".example", "not the name of a host"),
        (".".join(["a" * 60] * 4), "too long"),
    ],
)
def test_what_is_no_domain_for_a_wiki_says_why(typed: str, says: str) -> None:
    with pytest.raises(InvalidDomain, match=says):
        parse_domain(typed, ADDRESS)


@settings(max_examples=100)
@given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z0-9.ü。-]{1,30}\.(test|example|org)", fullmatch=True))
@example("ＷＩＫＩ。test")
def test_whatever_is_accepted_is_a_host_that_the_front_knows_as_foreign(typed: str) -> None:
    try:
        domain = parse_domain(typed, ADDRESS)
    except InvalidDomain:
        return
    assert parse_host([(b"host", domain.name.encode("ascii"))]) == Host(domain.name)
    assert split_host(Host(domain.name), ADDRESS.domain) == OwnDomain(domain.name)
    assert parse_domain(domain.shown, ADDRESS) == domain
    assert idna.encode(domain.shown).decode() == domain.name


@dataclass
class Desk:
    """One host whose clock and DNS the test holds."""

    host: SmallHost
    clock: FakeClock

    @property
    def checks(self) -> Checks:
        return Checks(self.host.db, self.host.dns, ADDRESS, clock=self.clock)

    async def ask(self, wiki: Wiki, domain: Domain = OWN) -> Claim:
        await claim_domain(self.host.db, wiki, domain, doer_of(self.host.ada), clock=self.clock)
        return self.claim(wiki)

    def claim(self, wiki: Wiki) -> Claim:
        found = find_claim(self.host.db, wiki)
        assert found is not None
        return found

    def show(self, *claims: Claim) -> None:
        """Put the values of these claims, and no others, into DNS, and lead the domain here."""
        self.host.dns.texts[OWN.challenge_name] = ["v=spf1 -all", *(claim.challenge for claim in claims)]
        self.host.dns.cnames[OWN.name] = "notes.wiki.test"

    async def check(self, wiki: Wiki) -> Claim:
        await self.checks.check(wiki)
        return self.claim(wiki)

    def holder(self) -> str | None:
        found = find_wiki_by_domain(self.host.db, OWN.name)
        return None if found is None else found.slug

    async def deeds(self, wiki: Wiki) -> list[AuditAction]:
        """What was done about domains, in order."""
        done = [kept.entry.action for kept in reversed(await list_entries(self.host.db, wiki, limit=20))]
        return [action for action in done if action.startswith("domain")]


@pytest.fixture
def desk(host: SmallHost) -> Desk:
    return Desk(host, FakeClock())


async def test_a_domain_is_in_force_once_both_records_are_there(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    claim = await desk.ask(notes)
    assert (await desk.ask(notes)).challenge == claim.challenge  # sent twice
    claim = await desk.check(notes)
    assert claim.record_problem == "There is no TXT record at _robot-challenge.notes.example yet."
    assert claim.address_problem == "notes.example leads nowhere yet."
    desk.host.dns.texts[OWN.challenge_name] = ["something else"]
    desk.host.dns.hosts[OWN.name] = ["192.0.2.7"]
    claim = await desk.check(notes)
    assert (claim.record_problem or "").endswith("another text at _robot-challenge.notes.example: something else")
    assert claim.address_problem == "notes.example leads to 192.0.2.7, which is not this host."
    assert desk.holder() is None
    desk.show(claim)
    claim = await desk.check(notes)
    assert claim.is_in_force
    assert claim.record_problem is claim.address_problem is claim.problem is None
    assert desk.holder() == "notes"
    found = find_wiki(desk.host.db, notes.id)
    assert found is not None
    assert ADDRESS.origin_of(found) == "https://notes.example"
    await give_up(desk.host.db, notes, doer_of(desk.host.ada), clock=desk.clock)
    assert desk.holder() is None
    assert await desk.deeds(notes) == [
        AuditAction.DOMAIN_ASKED_FOR,
        AuditAction.DOMAIN_IN_FORCE,
        AuditAction.DOMAIN_REMOVED,
    ]


async def test_only_dns_is_ever_asked_and_only_about_these_names(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    await desk.ask(notes)
    await desk.check(notes)
    assert set(desk.host.dns.asked) == {OWN.challenge_name, OWN.name, "notes.wiki.test", "wiki.test"}


async def test_the_top_of_a_domain_leads_here_by_its_addresses(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    claim = await desk.ask(notes)
    dns = desk.host.dns
    dns.texts[OWN.challenge_name] = [f' "{claim.challenge.upper()}" ']  # as some forms for DNS keep it
    dns.hosts |= {"notes.wiki.test": ["192.0.2.1"], "wiki.test": ["192.0.2.1", "2001:db8::1"]}
    dns.hosts[OWN.name] = ["192.0.2.1", "198.51.100.9"]
    assert "198.51.100.9" in ((await desk.check(notes)).address_problem or "")
    dns.hosts[OWN.name] = ["2001:db8::1", "192.0.2.1"]
    assert (await desk.check(notes)).is_in_force


async def test_a_name_that_stands_for_a_host_elsewhere_is_not_here(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    desk.show(await desk.ask(notes))
    for elsewhere in ("notes.wiki.test.evil.example", "notwiki.test"):
        desk.host.dns.cnames[OWN.name] = elsewhere
        assert elsewhere in ((await desk.check(notes)).address_problem or "")


async def test_a_domain_in_force_survives_a_slip_but_not_a_week_without(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    claim = await desk.ask(notes)
    desk.show(claim)
    assert (await desk.check(notes)).is_in_force
    desk.show()
    missing = await desk.check(notes)
    assert missing.is_in_force
    assert missing.failing_since is not None
    desk.show(claim)
    assert (await desk.check(notes)).failing_since is None  # it was a slip, and counts for nothing later
    desk.clock.now += DAY_S
    desk.show()
    await desk.check(notes)
    desk.clock.now += PATIENCE.total_seconds() - 1
    assert (await desk.check(notes)).is_in_force
    desk.clock.now += 1
    off = await desk.check(notes)
    assert not off.is_in_force
    assert "switched off" in (off.problem or "")
    assert desk.holder() is None
    assert (await desk.deeds(notes))[-1] is AuditAction.DOMAIN_SWITCHED_OFF
    desk.show(claim)
    assert (await desk.check(notes)).is_in_force  # by the same value, as soon as it is back


async def test_a_domain_that_leads_elsewhere_for_a_week_is_switched_off(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    desk.show(await desk.ask(notes))
    assert (await desk.check(notes)).is_in_force
    desk.host.dns.cnames[OWN.name] = "elsewhere.example"
    assert (await desk.check(notes)).is_in_force
    desk.clock.now += PATIENCE.total_seconds()
    assert not (await desk.check(notes)).is_in_force
    assert desk.holder() is None


async def test_no_answer_of_dns_changes_nothing(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    claim = await desk.ask(notes)
    desk.show(claim)
    desk.host.dns.silent = {OWN.challenge_name}
    assert "said nothing" in ((await desk.check(notes)).record_problem or "")
    assert desk.holder() is None
    desk.host.dns.silent = set()
    await desk.check(notes)
    for unanswered in ({OWN.challenge_name, OWN.name}, {OWN.name}, {OWN.challenge_name}):
        desk.host.dns.silent = unanswered
        desk.clock.now += 30 * DAY_S
        claim = await desk.check(notes)
        assert claim.is_in_force
        assert claim.failing_since is None
        assert "said nothing" in f"{claim.record_problem}{claim.address_problem}"


async def test_a_name_server_that_never_answers_holds_nobody_up(autojump_clock: object) -> None:
    zone = Zone(texts={OWN.challenge_name: ["value"]}, stuck={OWN.name})
    began = trio.current_time()
    evidence = await gather_evidence(zone, OWN, "notes", ADDRESS)
    assert trio.current_time() - began == pytest.approx(LOOK_S)
    assert evidence.texts == ["value"]
    assert isinstance(evidence.pointing, Unknown)


async def test_two_wikis_want_one_domain_and_it_goes_to_whom_dns_shows(desk: Desk) -> None:
    first, second = await desk.host.make_wiki("first"), await desk.host.make_wiki("second", desk.host.eve)
    mine, theirs = await desk.ask(first), await desk.ask(second)
    assert mine.challenge != theirs.challenge
    desk.show(mine)
    await desk.check(first)
    assert not (await desk.check(second)).is_in_force
    assert desk.holder() == "first"
    # Whoever has the domain still shows that they want it: nobody takes it from them.
    desk.show(mine, theirs)
    told = await desk.check(second)
    assert "Another wiki of this host has notes.example" in (told.problem or "")
    assert "first" not in (told.problem or "").lower()
    assert desk.holder() == "first"
    # The name has another owner, who put the old value away.
    desk.show(theirs)
    assert (await desk.check(second)).problem is None
    assert desk.holder() == "second"
    lost = desk.claim(first)
    assert not lost.is_in_force
    assert "its own" in (lost.problem or "")
    assert not (await desk.check(first)).is_in_force
    assert desk.holder() == "second"
    assert (await desk.deeds(first))[-1] is AuditAction.DOMAIN_SWITCHED_OFF


async def test_a_deleted_wiki_frees_its_domain(desk: Desk) -> None:
    first, second = await desk.host.make_wiki("first"), await desk.host.make_wiki("second")
    mine, theirs = await desk.ask(first), await desk.ask(second)
    desk.show(mine, theirs)
    await desk.check(first)
    # It can be had back for a while, with its domain unless another took that meanwhile.
    await delete_wiki_for_now(desk.host.db, first, ROBOT)
    assert desk.holder() is None
    await undelete_wiki(desk.host.db, first.id, ROBOT)
    assert desk.holder() == "first"
    await delete_wiki_for_now(desk.host.db, first, ROBOT)
    assert (await desk.check(second)).is_in_force
    await undelete_wiki(desk.host.db, first.id, ROBOT)
    assert desk.holder() == "second"
    assert not desk.claim(first).is_in_force
    await end_for_good(desk.host, second)
    assert desk.holder() is None
    assert desk.host.db.one("SELECT 1 FROM domains WHERE wiki_id = ?", (second.id,)) is None


async def test_a_claim_that_changed_while_dns_was_asked_is_left_alone(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    desk.show(await desk.ask(notes))
    answer = desk.host.dns.txt

    async def give_up_meanwhile(name: str) -> object:
        await give_up(desk.host.db, notes, doer_of(desk.host.ada))
        await desk.ask(notes)
        return await answer(name)

    desk.host.dns.txt = give_up_meanwhile  # type: ignore[method-assign, assignment]
    claim = await desk.check(notes)
    assert claim.checked is None
    assert desk.holder() is None


async def test_a_wiki_has_one_domain(desk: Desk) -> None:
    notes = await desk.host.make_wiki("notes")
    await desk.ask(notes)
    with pytest.raises(InvalidDomain, match=r"has asked for notes\.example\. Remove that first"):
        await desk.ask(notes, Domain("other.example"))


async def test_domains_in_force_are_looked_at_once_a_day(desk: Desk) -> None:
    notes, waiting = await desk.host.make_wiki("notes"), await desk.host.make_wiki("waiting")
    desk.show(await desk.ask(notes))
    await desk.ask(waiting, Domain("waiting.example"))
    await desk.check(notes)
    rechecks = Rechecks(desk.host.db, desk.checks, clock=desk.clock)
    desk.host.dns.asked.clear()
    await rechecks.check_due()
    assert desk.host.dns.asked == []
    desk.clock.now += RECHECK_S
    desk.show()
    await rechecks.check_due()
    assert "waiting.example" not in desk.host.dns.asked
    assert desk.claim(notes).failing_since is not None
    desk.host.dns.asked.clear()
    await rechecks.check_due()
    assert desk.host.dns.asked == []
    for _ in range(PATIENCE.days):
        desk.clock.now += RECHECK_S
        await rechecks.check_due()
    assert not desk.claim(notes).is_in_force
