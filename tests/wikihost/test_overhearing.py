"""What zygote and workers write reaches core's log record by record, whatever is in it."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wikihost.log_lines import MAX_LINE_BYTES, LogLine, decode, encode
from wikihost.overhearing import LINES_PER_PERIOD, Overhearing

WORKER = r"""
import logging, os
from flask import Flask
from wikihost.child.logs import log_to_core
log_to_core("INFO", "w_1")
log = logging.getLogger("robot.worker")
with Flask("x").test_request_context(headers={"X-Request-Id": "f3a1c0"}):
    log.warning("the page %s", "Home\nforged\x1b[31m")
try:
    raise LookupError("a\nb" * 5000)
except LookupError:
    logging.getLogger("wikihost.writer").exception("it failed")
log.debug("too much")
print("a library says\x1b[31m", flush=True)
os.write(2, b'{"level": "high"}\n\xff\n')
for level in ("true", "-1", "51", "[]"):
    os.write(2, f'{{"level":{level},"part":"","wiki":"","request":"","text":"x"}}\n'.encode())
"""


def words() -> st.SearchStrategy[str]:
    return st.text(max_size=3000)


@given(st.builds(LogLine, st.integers(0, logging.CRITICAL), words(), words(), words(), words(), words()))
def test_a_line_fits_what_a_pipe_takes_at_once(line: LogLine) -> None:
    packet = encode(line)
    assert len(packet) <= MAX_LINE_BYTES
    assert packet.index(b"\n") == len(packet) - 1
    said = decode(packet)
    assert said is not None
    assert (said.level, said.part) == (line.level, line.part[:64])
    assert line.text.startswith(said.text)
    assert line.trace.endswith(said.trace)
    if len(line.text) + len(line.trace) < 300:
        assert (said.text, said.trace) == (line.text, line.trace)


def overheard(program: str) -> None:
    overhearing = Overhearing()
    with overhearing.begin() as log:
        ran = subprocess.run([sys.executable, "-c", program], stdout=log, stderr=log, check=False)
    overhearing.wait(10.0)
    assert ran.returncode == 0


def test_records_keep_what_they_are_about(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    overheard(WORKER)
    first, failed, *raw = [vars(record) for record in caplog.records]
    assert (first["part"], first["wiki"], first["request"]) == ("worker", "w_1", "f3a1c0")
    assert (first["args"], first["levelno"]) == (("the page Home\nforged\x1b[31m",), logging.WARNING)
    assert (failed["part"], failed["wiki"], failed["request"]) == ("worker.wikihost.writer", "w_1", "")
    assert failed["exc_text"].endswith("a\nb" * 20)
    assert [said["part"] for said in raw] == ["worker.stderr"] * 7
    assert [said["args"][0] for said in raw][:3] == ["a library says\x1b[31m", '{"level": "high"}', "\\xff"]
    assert {record.name for record in caplog.records} == {"worker"}, "a wiki's code makes no part of its own"


def test_a_flood_is_cut_short(caplog: pytest.LogCaptureFixture) -> None:
    overheard(f"for n in range({3 * LINES_PER_PERIOD}): print(n)")
    assert len(caplog.records) == LINES_PER_PERIOD
