"""Which page was meant: names near to one that no page has."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from robot.mcp.call import Call
from robot.mcp.failures import OR_CREATE, explain, sentence
from robot.mcp.render import DATA_NOTICE, one_line
from wikihost.errors import ContentError, PageNotFound
from wikihost.names import page_key

MAX_SUGGESTED = 5
# Below that, two names have little in common.
_ALIKE = 0.7
# Names of more characters are compared by whole words only.
_COMPARED_CHARS = 100


async def explain_missing(call: Call, name: str, error: PageNotFound) -> str:
    """The error's sentence, with the pages that may be meant or else with where to look."""
    try:
        found = await call.contents.run(call.wiki, lambda content: nearest(name, content.page_names()))
    except ContentError:  # whoever asked is told of the missing page, at least
        found = []
    if not found:
        return explain(error, may_write=call.may_write)
    if page_key(found[0]) == page_key(name):
        return f"{sentence(error)} The page exists now; get_history lists its revisions."
    suggested = "\n".join(f"- {one_line(path)}" for path in found)
    return f"{sentence(error)}\nNearest names{OR_CREATE if call.may_write else ''}:\n{DATA_NOTICE}\n{suggested}"


def nearest(name: str, paths: Iterable[str]) -> list[str]:
    """The paths most like `name`, best first: the same but for case and place, then such as contain it, then alike."""
    wanted = _comparable(name)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(_last(wanted)[:_COMPARED_CHARS])
    ranked = [(rank, len(path), path) for path in paths if (rank := _rank(wanted, _comparable(path), matcher)) > 0]
    ranked.sort(key=lambda each: (-each[0], each[1], each[2]))
    return [path for _, _, path in ranked[:MAX_SUGGESTED]]


def _rank(wanted: str, there: str, matcher: SequenceMatcher[str]) -> float:
    last, wanted_last = _last(there), _last(wanted)
    if there == wanted:
        return 4.0
    if last == wanted_last:
        return 3.0
    if len(wanted_last) > 2 and (wanted_last in last or (len(last) > 2 and last in wanted_last)):
        return 2.0
    if abs(len(last) - len(wanted_last)) > len(wanted_last) // 2:
        return 0.0
    matcher.set_seq1(last[:_COMPARED_CHARS])
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
        return 0.0
    alike = matcher.ratio()
    return alike if alike >= _ALIKE else 0.0


def _comparable(name: str) -> str:
    return page_key(name).casefold().removesuffix(".md").replace("-", " ")


def _last(path: str) -> str:
    return path.rpartition("/")[2]
