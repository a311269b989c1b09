"""The contents of wikis as far as the caller at hand reaches: what all handlers work with, so that none can forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from robot.contents import Contents, reachable
from robot.model import Wiki
from robot.rest.bodies import wiki_request
from wikihost.content import Content

T = TypeVar("T")


class CallersContents:
    """`WikiContents` of whoever sent the request at hand."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    async def run(self, wiki: Wiki, work: Callable[[Content], T]) -> T:
        """As `Contents.run`."""
        return await reachable(self._contents, wiki_request().actor).run(wiki, work)

    async def change(self, wiki: Wiki, work: Callable[[Content], T]) -> T:
        """As `Contents.change`."""
        return await reachable(self._contents, wiki_request().actor).change(wiki, work)
