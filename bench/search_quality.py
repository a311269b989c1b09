"""Judge how well search finds. `make bench-search` writes `bench/SEARCH_QUALITY.md`.

python -m bench.search_quality                      the test halves of all sets that there are packages for
python -m bench.search_quality --only faq,library   some of the collections; writes no file
python -m bench.search_quality --model DIRECTORY    the same with another embedding model; writes no file
python -m bench.search_quality --losers 20          the tuning halves, and the questions that both together lose most on
python -m bench.search_quality --tune               the tuning halves, and what other weights of words and meaning do

Weights are chosen by the tuning halves alone; the figures that count are those of the test halves. Vectors are kept
between runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from bench import machine
from bench.quality.judging import MODES, SetResult, ask_all
from bench.quality.losers import losers
from bench.quality.product import Asked, KeptVectors, asked_wikis
from bench.quality.sources import SOURCES
from bench.quality.tables import report, verdict
from bench.quality.tuning import both_lists, grid
from bench.quality.values import Collection, Half, part
from robot.search.model.directory import ModelDirectory, bundled_model

HERE = Path(__file__).parent
WORK = HERE / ".work"
RESULTS = HERE / "SEARCH_QUALITY.md"
DISTRIBUTIONS = ("fastembed", "onnxruntime", "faiss-cpu")
MOST_QUESTIONS_OF_A_SET = 150
NAMES = tuple(source.name for source in SOURCES)

Say = Callable[[str], None]


def collections(names: Sequence[str], say: Say) -> list[Collection]:
    """The collections of these names, but for those that this machine has nothing for."""
    made = []
    for source in SOURCES:
        if source.name not in names:
            continue
        collection = source.make(source.pages)
        if collection is None:
            say(f"{source.name}: left out, since it needs {source.needs}")
        else:
            say(f"{source.name}: made")
            made.append(collection)
    return made


async def judged(made: Sequence[Collection], half: Half, wikis: dict[str, Asked], say: Say) -> list[SetResult]:
    """Every set's questions of one half, in every mode."""
    results = []
    for collection in made:
        for each in collection.sets:
            questions = part(each.questions, half, MOST_QUESTIONS_OF_A_SET)
            modes = await ask_all(wikis[collection.name], questions, MODES)
            say(f"{each.name}: {', '.join(f'{mode} {modes[mode]}' for mode in MODES)}")
            results.append(SetResult(each, len(collection.pages), questions, modes))
    return results


async def tuned(made: Sequence[Collection], wikis: dict[str, Asked]) -> str:
    """The grid over the weights, on the tuning halves."""
    sets = {
        each.name: await both_lists(wikis[collection.name], part(each.questions, "tuning", MOST_QUESTIONS_OF_A_SET))
        for collection in made
        for each in collection.sets
    }
    return grid(sets)


async def run(args: argparse.Namespace, say: Say) -> bool:
    """Print what was asked for. False when the target was missed."""
    made = collections(args.only, say)
    model = bundled_model() if args.model is None else ModelDirectory(args.model, name=args.model.name)
    source = KeptVectors(model, WORK / "vectors.db")
    pages = {collection.name: collection.pages for collection in made}
    with tempfile.TemporaryDirectory(prefix="robot-quality-") as directory:
        async with asked_wikis(Path(directory), pages, source, say) as wikis:
            if args.tune:
                print(await tuned(made, wikis))
                return True
            results = await judged(made, "tuning" if args.losers else "test", wikis, say)
    if args.losers:
        print(losers(results, args.losers))
    head = [*machine.describe(DISTRIBUTIONS), f"Model: {source.model_id}"]
    text = report(head, results)
    print(text)
    if not args.losers and args.model is None and set(args.only) == set(NAMES):
        RESULTS.write_text(text, "utf-8")
        say(f"written: {RESULTS}")
    return verdict(results)[0]


def names(words: str) -> list[str]:
    """Names of collections, separated by commas. Raises argparse.ArgumentTypeError for others."""
    wanted = words.split(",")
    if unknown := set(wanted) - set(NAMES):
        unknown_names = ", ".join(sorted(unknown))
        raise argparse.ArgumentTypeError(f"no such collection: {unknown_names}; there are {', '.join(NAMES)}")
    return wanted


def main() -> int:
    """Returns 1 when the target was missed."""
    parser = argparse.ArgumentParser(description="Judge how well search finds.")
    parser.add_argument("--only", type=names, default=list(NAMES), metavar="COLLECTION,…", help="writes no file")
    parser.add_argument(
        "--model", type=Path, metavar="DIRECTORY", help="another model than the bundled one; writes no file"
    )
    parser.add_argument("--tune", action="store_true", help="a grid over the weights, on the tuning halves")
    parser.add_argument(
        "--losers", type=int, default=0, metavar="COUNT", help="the worst questions of the tuning halves"
    )
    args = parser.parse_args()
    WORK.mkdir(exist_ok=True)

    def say(text: str) -> None:
        print(f"{time.process_time():6.1f} s of CPU  {text}", file=sys.stderr, flush=True)

    return int(not trio.run(run, args, say))


if __name__ == "__main__":
    sys.exit(main())
