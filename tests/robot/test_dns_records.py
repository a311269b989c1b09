"""TXT and CNAME records, asked of a real name server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from robot.dns_records import LookupFailed, PublicDns

Answers = Callable[[dns.message.Message], dns.message.Message | None]

ZONE = {
    ("_atproto.alice.example.org.", "TXT"): ['"did=did:plc:" "aaaabbbbccccddddeeeeffff"', '"something else"'],
    ("wiki.example.org.", "CNAME"): ["Notes.Robot.example."],
    ("plain.example.org.", "A"): ["192.0.2.1"],
    ("plain.example.org.", "AAAA"): ["2001:db8::1"],
    ("long.example.org.", "TXT"): [" ".join(['"' + "x" * 250 + '"'] * 5), '"short"'],
}


def zone_answer(question: dns.message.Message) -> dns.message.Message:
    asked = question.question[0]
    answer = dns.message.make_response(question)
    records = ZONE.get((asked.name.to_text(), asked.rdtype.name))
    if records is not None:
        answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", asked.rdtype, *records))
    elif not any(name == asked.name.to_text() for name, _ in ZONE):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer


class NameServer:
    """Answers over UDP as `answers` says, or not at all."""

    def __init__(self, socket: trio.socket.SocketType) -> None:
        self._socket = socket
        self.answers: Answers = zone_answer
        self.asked: list[str] = []

    @property
    def dns(self) -> PublicDns:
        return PublicDns(self._socket.getsockname())

    async def serve(self) -> None:
        while True:
            packet, sender = await self._socket.recvfrom(4096)
            question = dns.message.from_wire(packet)
            self.asked.append(question.question[0].name.to_text())
            answer = self.answers(question)
            if answer is not None:
                await self._socket.sendto(answer.to_wire(), sender)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as socket:
        await socket.bind(("127.0.0.1", 0))
        running = NameServer(socket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.serve)
            yield running
            nursery.cancel_scope.cancel()


async def test_texts_are_joined_from_their_pieces(server: NameServer) -> None:
    found = await server.dns.txt("_atproto.alice.example.org")
    assert sorted(found) == ["did=did:plc:aaaabbbbccccddddeeeeffff", "something else"]


async def test_a_text_of_unusual_length_is_left_out(server: NameServer) -> None:
    assert await server.dns.txt("long.example.org") == ["short"]


async def test_a_name_without_such_a_record_has_none(server: NameServer) -> None:
    assert await server.dns.txt("plain.example.org") == []
    assert await server.dns.txt("nowhere.example.org") == []
    assert await server.dns.cname("plain.example.org") is None


async def test_the_name_that_a_name_stands_for(server: NameServer) -> None:
    assert await server.dns.cname("wiki.example.org") == "notes.robot.example"


async def test_the_addresses_of_a_name_and_of_what_it_stands_for(server: NameServer) -> None:
    assert await server.dns.addresses("plain.example.org") == ["192.0.2.1", "2001:db8::1"]
    assert await server.dns.addresses("nowhere.example.org") == []

    def stands_for_plain(question: dns.message.Message) -> dns.message.Message:
        answer = zone_answer(question)
        name, kind = question.question[0].name, question.question[0].rdtype
        answer.set_rcode(dns.rcode.NOERROR)
        answer.answer = [dns.rrset.from_text(name, 60, "IN", "CNAME", "plain.example.org.")]
        records = ZONE[("plain.example.org.", kind.name)]
        answer.answer.append(dns.rrset.from_text("plain.example.org.", 60, "IN", kind, *records))
        return answer

    server.answers = stands_for_plain
    assert await server.dns.addresses("other.example.org") == ["192.0.2.1", "2001:db8::1"]


async def test_no_search_domain_is_added(server: NameServer) -> None:
    await server.dns.txt("nowhere.example.org")
    assert set(server.asked) == {"nowhere.example.org."}


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_servers_that_say_nothing(server: NameServer, rcode: dns.rcode.Rcode) -> None:
    def fails(question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.set_rcode(rcode)
        return answer

    server.answers = fails
    with pytest.raises(LookupFailed, match="said nothing about wiki"):
        await server.dns.txt("wiki.example.org")


async def test_a_silent_server_is_not_waited_for(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot.dns_records.LOOKUP_S", 0.3)
    server.answers = lambda question: None
    with pytest.raises(LookupFailed):
        await server.dns.txt("wiki.example.org")


@pytest.mark.parametrize("name", ["a..b.example", "x" * 64 + ".example.org", "a" * 300])
async def test_what_is_no_name(server: NameServer, name: str) -> None:
    with pytest.raises(LookupFailed):
        await server.dns.txt(name)
    assert not server.asked
