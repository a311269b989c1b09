"""A record is one line that no name in it can break, whoever reads it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.logs import JsonFormatter, TextFormatter, is_read_by_journal
from robot.underway import Underway, begin

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
HOSTILE = "Home\nerror robot.front: forged\x1b[31m\x9b2J\u2028\u202e"

FORMATTERS = [made(for_journal=flag) for made in (TextFormatter, JsonFormatter) for flag in (True, False)]


def record(message: str, *values: object, **more: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "robot.part", "levelno": logging.WARNING, "levelname": "WARNING", "msg": message, "args": values}
        | {"created": 1_900_000_000.5, **more}
    )


@pytest.mark.parametrize("formatter", FORMATTERS)
@given(st.text())
def test_any_text_is_one_safe_line(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record("the page %s", text, part=text, request=text, wiki=text))
    assert UNSAFE.search(line) is None
    line.encode()


def test_what_a_line_says() -> None:
    said = record("the page %s", HOSTILE, request="f3a1", wiki="w_1")
    shown = r"the page Home\x0aerror robot.front: forged\x1b[31m\x9b2J\u2028\u202e"
    assert TextFormatter(for_journal=True).format(said) == f"<4>warning robot.part request=f3a1 wiki=w_1: {shown}"
    elsewhere = TextFormatter(for_journal=False).format(said)
    assert elsewhere == f"2030-03-17T17:46:40.500Z warning robot.part request=f3a1 wiki=w_1: {shown}"
    assert json.loads(JsonFormatter(for_journal=False).format(said)) == {
        "time": "2030-03-17T17:46:40.500Z",
        "level": "warning",
        "part": "robot.part",
        "request": "f3a1",
        "wiki": "w_1",
        "message": f"the page {HOSTILE}",
    }


def test_no_line_of_a_traceback_can_be_read_as_a_record() -> None:
    def fail() -> None:
        raise ValueError(HOSTILE)

    try:
        fail()
    except ValueError:
        failed = record("it failed", exc_info=sys.exc_info())
    first, *following = TextFormatter(for_journal=True).format(failed).split("\n")
    assert first == "<4>warning robot.part: it failed"
    assert all(line.startswith("<4>  | ") and UNSAFE.search(line) is None for line in following)
    assert r"<4>  | ValueError: Home" in following
    as_json = JsonFormatter(for_journal=False).format(failed)
    assert UNSAFE.search(as_json) is None
    assert any("ValueError: Home" in line for line in json.loads(as_json)["trace"])


def test_a_line_names_the_request_that_is_underway() -> None:
    with begin(Underway("f3a1c0")):
        assert " request=f3a1c0: " in TextFormatter(for_journal=True).format(record("x"))
    assert "request=" not in TextFormatter(for_journal=True).format(record("x"))


def test_journald_is_known_by_its_stream() -> None:
    read, write = os.pipe()
    with io.FileIO(read), io.FileIO(write, "w"):
        pipe = os.fstat(write)
        assert is_read_by_journal(write, {"JOURNAL_STREAM": f"{pipe.st_dev}:{pipe.st_ino}"})
        assert not is_read_by_journal(write, {"JOURNAL_STREAM": "8:1"})
        assert not is_read_by_journal(write, {})


def test_to_configure_again_changes_the_lines_and_keeps_other_handlers() -> None:
    program = (
        "import logging; from robot.logs import configure; from robot.troubles import counted_troubles\n"
        "configure('info'); log = logging.getLogger('robot.x')\n"
        "with counted_troubles() as troubles:\n"
        "    configure('error', 'json'); log.warning('unheard'); configure('debug', 'json'); log.warning('heard')\n"
        "    print(troubles.last_day())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = ran.stderr.splitlines()
    assert json.loads(line)["message"] == "heard"
    assert "warnings=1" in ran.stdout
