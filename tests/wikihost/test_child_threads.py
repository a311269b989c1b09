"""One worker answers several requests at once, and none sees another's."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.wikihost.fleets import ask, hosted, running_fleet, save, text_at_head
from tests.wikihost.wikis import assert_sound

# More at once than a worker has threads.
VISITORS = 12


async def test_readers_of_many_pages_and_histories_never_mix_nor_hang(tmp_path: Path) -> None:
    pages = {
        f"Page {n}": f"# Title {n}\n\n## Section of {n}\n\n{{{{include|src=Part {n}}}}}\n" for n in range(VISITORS)
    }
    parts = {f"Part {n}": f"part of {n}\n" for n in range(VISITORS)}
    wiki = hosted(tmp_path, pages=pages | parts)
    async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:

        async def visit(number: int) -> None:
            for _ in range(3):
                page = await ask(worker, f"/Page%20{number}")
                assert page.status == 200
                sections = {other for other in range(VISITORS) if f"Section of {other}<" in page.text}
                assert sections == {number}
                assert {other for other in range(VISITORS) if f"part of {other}<" in page.text} == {number}
                assert (await ask(worker, f"/Page%20{number}/history")).status == 200
                assert (await ask(worker, f"/Page%20{number}/blame")).status == 200

        async def write() -> None:
            for turn in range(6):
                assert (await save(worker, "Busy", f"turn {turn}\n")).status == 302

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for number in range(VISITORS):
                nursery.start_soon(visit, number)
    assert text_at_head(wiki, "Busy.md") == "turn 5\n"
    assert_sound(wiki.home)
