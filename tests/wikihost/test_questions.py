"""What core and workers say about searches: values there and back, and what a worker that was taken over may send."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wikihost.child.search_form import read_form
from wikihost.questions import MAX_SECTIONS, MAX_TEXT_CHARS, Findings, Question, Search, Section, Similar, as_fields
from wikihost.worker_protocol import (
    MAX_MESSAGE_BYTES,
    Find,
    FindFailed,
    Found,
    Message,
    ProtocolError,
    decode,
    encode,
)

any_text = st.text(st.characters(), max_size=60)
sections = st.builds(
    Section,
    page=any_text,
    title=any_text,
    snippet=any_text,
    highlights=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(list)),
    section_path=st.lists(any_text, max_size=3),
    anchor=any_text,
)
questions: st.SearchStrategy[Question] = st.one_of(
    st.builds(
        Search,
        text=any_text,
        limit=st.integers(1, MAX_SECTIONS),
        words_only=st.booleans(),
        tag=any_text,
        updated_since=st.sampled_from(["", "2026-01-31T10:00:00+00:00"]),
    ),
    st.builds(Similar, page=any_text, limit=st.integers(1, MAX_SECTIONS)),
)


@given(st.integers(0), questions)
def test_a_question_arrives_as_it_was_asked(request: int, question: Question) -> None:
    assert decode(encode(Find(request, question))) == Find(request, question)


@given(st.lists(sections, max_size=5).map(tuple), any_text)
def test_an_answer_arrives_as_it_was_given(found: tuple[Section, ...], note: str) -> None:
    answer = Found(7, Findings(found, 9, note))
    assert decode(encode(answer)) == answer
    assert decode(encode(FindFailed(7, note))) == FindFailed(7, note)


def test_an_answer_goes_into_one_packet_with_its_best_sections() -> None:
    large = [Section(f"P {number}", "🙂" * 300, "🙂" * 220, [(0, 1)], ["🙂" * 300], "x") for number in range(50)]
    packet = encode(Found(1, Findings(large, 99)))
    assert len(packet) <= MAX_MESSAGE_BYTES
    answer = decode(packet)
    assert isinstance(answer, Found)
    assert (answer.findings.total, answer.findings.sections[0].page) == (99, "P 0")
    assert 1 < len(answer.findings.sections) < len(large)


def test_the_longest_question_goes_into_one_packet() -> None:
    long = "🙂" * 10_000
    asked = read_form(dict.fromkeys(("query", "tag", "category", "folder", "like"), long))
    longest = Search(asked.query, 1, tag=asked.tag, category=asked.category, folder=asked.folder)
    for question in (longest, Similar(asked.like, 1)):
        packet = encode(Find(1, question))
        assert len(packet) <= MAX_MESSAGE_BYTES
        assert decode(packet) == Find(1, question)


GOOD = as_fields(Search("crane", 20))
BAD_FIELDS: list[dict[str, Any]] = [
    {"text": 5},
    {"text": "x" * (MAX_TEXT_CHARS + 1)},
    {"limit": 0},
    {"limit": 1e9},
    {"limit": True},
    {"limit": 10**9},
    {"offset": -1},
    {"sections_per_page": 99},
    {"words_only": "yes"},
    {"tag": None},
    {"tag": "x" * 201},
    {"folder": ["x"]},
    {"updated_since": "yesterday"},
    {"updated_since": "2026-01-31"},
    {"kind": "Delete"},
    {"kind": []},
    {"wiki_id": "another"},
]


@pytest.mark.parametrize("bad", BAD_FIELDS, ids=str)
def test_a_question_that_cannot_be_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode(json.dumps(["Find", {"request": 1, "question": GOOD | bad}]).encode())


HOSTILE = [
    b"",
    b"\xff",
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b"9" * 60_000,
    b'["Find"]',
    b'["Find", 5]',
    b'["Find", {"request": 1, "question": 5}]',
    b'["Find", {"request": "1", "question": {"kind": "Similar", "page": "x", "limit": 1}}]',
    b'["Found", {"request": 1, "findings": {"sections": [{}], "total": 1, "note": ""}}]',
    b'["Saved", {"head": ["x"]}]',
    b'[["Find"], {}]',
    b'["WorkerFailed", {"reason": null}]',
]


@pytest.mark.parametrize("packet", HOSTILE, ids=lambda packet: packet[:40])
def test_no_packet_raises_anything_else(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(packet)


@given(
    st.recursive(st.none() | st.integers() | any_text, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner))
)
def test_no_json_raises_anything_else(value: Any) -> None:
    for packet in (value, ["Find", value], ["Find", {"request": 1, "question": value}]):
        with pytest.raises(ProtocolError):
            decode(json.dumps(packet).encode())


def test_other_messages_are_what_they_were() -> None:
    message: Message = FindFailed(3, "Why.")
    assert json.loads(encode(message)) == ["FindFailed", asdict(message)]
