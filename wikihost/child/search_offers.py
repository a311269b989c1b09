"""What the search form offers to choose from: the tags, categories and folders that a wiki uses most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wikihost import query
from wikihost.child.kept import PerHead
from wikihost.child.search_form import Asked
from wikihost.content import Content

MOST: Final = 40
_LONGEST_CHARS: Final = 100  # of a value that somebody would choose from a list


@dataclass(frozen=True, slots=True)
class Offer:
    """A value to choose, and how many pages have it (None: not counted)."""

    value: str
    pages: int | None


@dataclass(frozen=True, slots=True)
class Offers:
    """By name of the form's field, each by value in alphabetical order."""

    tag: Sequence[Offer]
    category: Sequence[Offer]
    folder: Sequence[Offer]


class OfferMaker:
    """Makes offers, counted once for each commit. Thread-safe."""

    def __init__(self) -> None:
        self._counted: PerHead[tuple[Mapping[str, int], ...]] = PerHead(1)

    def make(self, content: Content, asked: Asked) -> Offers:
        """The offers for a form in which `asked` is filled in, and stays offered."""
        head = content.sync()
        counted = self._counted.find(head, "")
        if counted is None:
            counted = content.catalog.read(
                lambda db: (query.count_by_tag(db), query.count_by_category(db), count_by_folder(query.page_names(db)))
            )
            self._counted.keep(head, "", counted, 1)
        tags, categories, folders = counted
        return Offers(most(tags, asked.tag), most(categories, asked.category), most(folders, asked.folder))


def count_by_folder(names: Sequence[str]) -> dict[str, int]:
    """The pages below each folder, which ends in a slash."""
    counts: Counter[str] = Counter()
    for name in names:
        end = name.rfind("/")
        while end > 0:
            counts[name[: end + 1]] += 1
            end = name.rfind("/", 0, end)
    return counts


def most(counts: Mapping[str, int], chosen: str) -> list[Offer]:
    """The values that most pages have, and the chosen one in any case. Values that differ in case only are one."""
    together: dict[str, tuple[str, int]] = {}
    for value, pages in counts.items():
        if len(value) > _LONGEST_CHARS and value != chosen:
            continue
        spelled, so_far = together.get(value.casefold(), (value, 0))
        together[value.casefold()] = (spelled, so_far + pages)
    ranked = sorted(together.values(), key=lambda each: (-each[1], each[0].casefold()))[:MOST]
    offers = [Offer(value, pages) for value, pages in ranked]
    if chosen and chosen.casefold() not in {offer.value.casefold() for offer in offers}:
        known = together.get(chosen.casefold())
        offers.append(Offer(chosen, known[1] if known else None))
    return sorted(offers, key=lambda offer: offer.value.casefold())
