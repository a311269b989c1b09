"""What an agent that listens wants to hear of, what there is to tell, and how it is told (pure).

Events say that something changed, never what: whoever hears of one reads again. So whatever happens while an agent is
slow comes down to at most one event for each page that it asked for, and one for each list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import INVALID_PARAMS, RequestId, SubscriptionFilter

from robot.mcp import uris
from wikihost.names import page_key
from wikihost.reach import Reach
from wikihost.values import PageChange

MAX_PAGES = 100


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one stream is told. `pages` gives for the key of a page's name the addresses that the client wrote.

    `reach` is what the credential is confined to, if it is.
    """

    id: RequestId
    pages: Mapping[str, tuple[str, ...]]
    page_list: bool
    tool_list: bool
    reach: Reach | None = None

    def covers(self, key: str) -> bool:
        """Whether the credential reaches a page, by the key of its name."""
        return self.reach is None or self.reach.covers(key)


@dataclass(frozen=True, slots=True)
class News:
    """What changed, as keys of page names: texts, and pages that came or went. `all`: too much to say."""

    changed: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    all: bool = False


@dataclass(slots=True)
class Pending:
    """What a stream has not been told yet, each thing once."""

    pages: dict[str, None] = field(default_factory=dict)
    page_list: bool = False
    tool_list: bool = False

    def __bool__(self) -> bool:
        return bool(self.pages) or self.page_list or self.tool_list


EVERYTHING = News(all=True)


def subscription_of(slug: str, request_id: RequestId, wanted: SubscriptionFilter, folder: str | None) -> Subscription:
    """As much of what is wanted as this wiki can tell: its pages, and its lists of pages and tools.

    Raises: MCPError (INVALID_PARAMS) when it is about too many pages.
    """
    addresses = wanted.resource_subscriptions or []
    if len(addresses) > MAX_PAGES:
        sentence = f"One stream can follow at most {MAX_PAGES} resources; resourcesListChanged is about all of them."
        raise MCPError(code=INVALID_PARAMS, message=sentence)
    reach = Reach(folder) if folder is not None else None
    pages: dict[str, tuple[str, ...]] = {}
    for uri in dict.fromkeys(addresses):
        match uris.parse_uri(slug, uri):
            case uris.PageAddress(name) if reach is None or reach.covers(name):
                key = page_key(name)
                pages[key] = (*pages.get(key, ()), uri)
    return Subscription(
        request_id,
        pages,
        page_list=wanted.resources_list_changed is True,
        tool_list=wanted.tools_list_changed is True,
        reach=reach,
    )


def news_of(changes: Iterable[PageChange]) -> News:
    """What changes to pages mean for those who listen; an old name's page changed, too."""
    changed: set[str] = set()
    listed: set[str] = set()
    for change in changes:
        keys = {page_key(name) for name in (change.path, change.source) if name is not None}
        changed |= keys
        if change.kind != "updated":
            listed |= keys
    return News(frozenset(changed), frozenset(listed))


def add_news(pending: Pending, subscription: Subscription, news: News) -> None:
    """Note what of the news a stream is to be told."""
    for key, addresses in subscription.pages.items():
        if news.all or key in news.changed:
            pending.pages.update(dict.fromkeys(addresses))
    if subscription.page_list:
        pending.page_list |= news.all or any(map(subscription.covers, news.listed))


def acknowledgement(subscription: Subscription) -> bytes:
    """The first event of a stream: what it will tell of."""
    told: dict[str, Any] = {}
    if subscription.page_list:
        told["resourcesListChanged"] = True
    if subscription.tool_list:
        told["toolsListChanged"] = True
    if subscription.pages:
        told["resourceSubscriptions"] = [uri for addresses in subscription.pages.values() for uri in addresses]
    return _notification(subscription, "notifications/subscriptions/acknowledged", {"notifications": told})


def events(subscription: Subscription, pending: Pending) -> bytes:
    """What is pending, as events."""
    told = [_notification(subscription, "notifications/resources/updated", {"uri": uri}) for uri in pending.pages]
    if pending.page_list:
        told.append(_notification(subscription, "notifications/resources/list_changed", {}))
    if pending.tool_list:
        told.append(_notification(subscription, "notifications/tools/list_changed", {}))
    return b"".join(told)


def event(message: bytes) -> bytes:
    """One JSON message, which has no line breaks, as a server-sent event (WHATWG HTML, 9.2)."""
    return b"event: message\r\ndata: %b\r\n\r\n" % message


def _notification(subscription: Subscription, method: str, params: Mapping[str, Any]) -> bytes:
    meta = {SUBSCRIPTION_ID_META_KEY: subscription.id}
    return event(json.dumps({"jsonrpc": "2.0", "method": method, "params": {**params, "_meta": meta}}).encode())
