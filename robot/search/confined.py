"""Search as somebody uses it whose credential reaches one folder: it finds what is inside, and rules nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from robot.access import folder_of
from robot.model import Actor, Wiki
from robot.search.service import SearchService
from robot.search.values import ReindexStatus
from wikihost.errors import OutsideReach
from wikihost.reach import Reach


class ConfinedSearch(SearchService):
    """The service on one folder: the same model, index and order of results, on the passages that are inside."""

    _is_confined = True

    def __init__(self, whole: SearchService, folder: str) -> None:
        # The base is not set up again: the parts are the whole service's, which also runs them.
        self._reach = Reach(folder)
        self._contents = whole.contents.within(folder)
        self._model = whole._model
        self._nursery = whole._nursery
        self._shelf = whole._shelf
        self._questions = whole._questions
        self._weights = whole._weights

    async def status(self, wiki: Wiki) -> ReindexStatus:
        """How far the folder's pages are; what is said of a failure may name others, and the pace tells how many."""
        found = await super().status(wiki)
        said = None if found.error_message is None else "A page cannot be indexed."
        return replace(found, error_message=said, eta_s=None)

    async def find_everywhere(self, wikis: Sequence[Wiki], text: str, *, limit: int = 20) -> NoReturn:
        raise OutsideReach(f"{self._reach.sentence}.")

    def start_reindex(self, wiki: Wiki) -> NoReturn:
        raise self._too_far()

    def cancel_reindex(self, wiki: Wiki) -> NoReturn:
        raise self._too_far()

    def _too_far(self) -> OutsideReach:
        return OutsideReach(f"{self._reach.sentence}, and a re-index is of the whole wiki.")


def searchable(search: SearchService, actor: Actor) -> SearchService:
    """Search as far as the actor's credential reaches."""
    folder = folder_of(actor)
    return search if folder is None else ConfinedSearch(search, folder)
