"""Indexing that is killed at any point leaves nothing to repair."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from robot.search.indexing import steps
from robot.search.values import Passage
from tests.robot.search_wiki import WatchedModel, WikiOnDisk, make_service, make_wiki, new_rows, rows, running, settled

PAGES = 12
SECTIONS = 20
KILLS = 4

# Indexes the wiki with a model that says each passage that it embeds, until it is killed.
INDEXER = """
import sys
from pathlib import Path
import trio
from tests.robot.search_wiki import WatchedModel, open_wiki, make_service, running, settled

class Talking(WatchedModel):
    def embed_passages(self, texts):
        print("embedded", flush=True)
        return super().embed_passages(texts)

async def main():
    wiki = open_wiki(Path(sys.argv[1]))
    async with running(make_service(Talking(), wiki)) as service:
        service.notify(wiki.wiki.id)
        await settled(service, wiki.wiki)

trio.run(main)
"""


# Indexes the wiki and looks its index through, until a step is done for the nth time: killed before its commit.
STEPPER = """
import os, signal, sys
from pathlib import Path
import trio
from tests.robot.search_wiki import WatchedModel, open_wiki, make_service, running, settled
from wikihost import passages

root, step, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
work = getattr(passages, step)
calls = 0

def work_and_die(*arguments, **named):
    global calls
    work(*arguments, **named)
    calls += 1
    if calls == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return True

setattr(passages, step, work_and_die)

async def main():
    wiki = open_wiki(root)
    async with running(make_service(WatchedModel(), wiki)) as service:
        service.notify(wiki.wiki.id)
        await settled(service, wiki.wiki)
        service.start_reindex(wiki.wiki)
        await settled(service, wiki.wiki)

trio.run(main)
"""


async def results(wiki: WikiOnDisk, model: WatchedModel) -> list[Passage]:
    async with running(make_service(model, wiki)) as service:
        service.notify(wiki.wiki.id)
        assert (await settled(service, wiki.wiki)).state == "complete"
        return list((await service.query(wiki.wiki, "mooring rope 7", limit=50, max_chunks_per_page=5)).results)


def embed_and_kill(root: Path, after: int) -> int:
    """Index in another process and kill it at its `after`-th passage; how many it embedded."""
    with subprocess.Popen([sys.executable, "-c", INDEXER, str(root)], stdout=subprocess.PIPE, text=True) as indexer:
        assert indexer.stdout is not None
        for count, _ in enumerate(indexer.stdout, start=1):
            if count == after:
                indexer.send_signal(signal.SIGKILL)
        return count


async def test_killed_indexing_gives_the_same_answers_in_the_end(tmp_path: Path) -> None:
    wiki = make_wiki(tmp_path)
    wiki.write(
        {
            f"Page {page}": "\n\n".join(
                f"## Part {part}\n\n{'mooring rope ' * 40}{page} {part}" for part in range(SECTIONS)
            )
            for page in range(PAGES)
        }
    )
    chance = random.Random(7)
    embedded = sum(embed_and_kill(tmp_path, chance.randint(5, 50)) for _ in range(KILLS))

    last = WatchedModel()
    resumed = await results(wiki, last)
    wiki.data.wiki(wiki.wiki.id).catalog_db.unlink()
    fresh = WatchedModel()
    assert await results(wiki, fresh) == resumed
    # Each kill may cost what was embedded and not yet stored: less than a page.
    assert len(last.embedded) + embedded <= len(fresh.embedded) + KILLS * SECTIONS
    assert len(last.embedded) < len(fresh.embedded)
    wiki.contents.close_all()


def step_and_kill(root: Path, step: str, nth: int) -> None:
    killed = subprocess.run([sys.executable, "-c", STEPPER, str(root), step, str(nth)], check=False)
    assert killed.returncode == -signal.SIGKILL, step


async def test_killed_within_a_transaction_nothing_of_it_is_there(tmp_path: Path) -> None:
    wiki = make_wiki(tmp_path)
    wiki.write({f"Page {page}": f"# Page {page}\n\nrope {page}" for page in range(PAGES)})
    former = {bytes([number]): b"of another model" for number in range(9)}
    await wiki.contents.run(wiki.wiki, lambda content: steps.keep_vectors(content, "former", former))
    for step, nth in (("store_vectors", 2), ("store_passages", 5), ("drop_spent", 1), ("doubt", 1)):
        step_and_kill(tmp_path, step, nth)
    async with running(make_service(WatchedModel(), wiki)) as service:
        assert (await settled(service, wiki.wiki)).state == "complete"  # by itself
    assert await rows(wiki) == await new_rows(wiki)
    wiki.contents.close_all()
