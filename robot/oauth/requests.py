"""Authorization requests as they come in: in the address of a page, or back from its form."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from robot.address import PublicAddress
from robot.oauth.asking import Asked, Refusal, Sent, Unanswerable, client_of, judge_request
from robot.oauth.clients import ClientDocumentFailed, ClientUnknown
from robot.oauth.endpoints import AUTHORIZE
from robot.oauth.finding import Clients
from robot.oauth.proposals import proven_host


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for the sign-in page: the client's name, the host that vouches for it, and the wiki's address."""

    name: str
    host: str | None
    wiki: str


class Requests:
    """Judges requests: finds the client, which may mean fetching its document, and leaves the rest to `asking`."""

    def __init__(self, clients: Clients, address: PublicAddress) -> None:
        self._clients = clients
        self._address = address

    async def judge(self, sent: Sent) -> Asked | Refusal | Unanswerable:
        """What a request comes to."""
        client_id = client_of(sent)
        if isinstance(client_id, Unanswerable):
            return client_id
        try:
            client = await self._clients.find_client(client_id)
        except (ClientUnknown, ClientDocumentFailed) as error:
            return Unanswerable(str(error))
        return judge_request(sent, client, self._address)

    async def find_asker(self, path: str) -> Asker | None:
        """Who asks by way of the page at `path` of the platform; None when nobody does."""
        if not is_request(path):
            return None
        outcome = await self.judge(read_request(urlsplit(path).query))
        if not isinstance(outcome, Asked):
            return None
        wiki = urlsplit(self._address.wiki_origin(outcome.slug)).netloc
        return Asker(outcome.client.name, proven_host(outcome.client), wiki)


def is_request(path: str) -> bool:
    """Whether a path of the platform is an authorization request."""
    return path.startswith(f"{AUTHORIZE}?")


def read_request(query: str) -> Sent:
    """The parameters in a query, or in the field of a form that holds one."""
    return parse_qs(query, keep_blank_values=True)


def spell_request(sent: Sent) -> str:
    """The opposite of `read_request`: parameters as a query, in characters that any address may have."""
    return urlencode(sent, doseq=True)
