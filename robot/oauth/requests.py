"""Authorization requests as they come in: in the address of a page, or back from its form."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from proxy.hosts import OwnDomain, WikiHost
from robot.address import PublicAddress
from robot.oauth.asking import Asked, Refusal, Sent, Unanswerable, client_of, judge_request
from robot.oauth.clients import ClientDocumentFailed, ClientUnknown
from robot.oauth.documents import is_document_id
from robot.oauth.endpoints import AUTHORIZE
from robot.oauth.finding import Clients
from robot.oauth.proposals import proven_host
from robot.oauth.resources import InForce, place_of_resource


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for the sign-in page: the client's name, the host that vouches for it, and the wiki's address.

    The name is None for a client whose document is not at hand.
    """

    name: str | None
    host: str | None
    wiki: str


class Requests:
    """Judges requests: finds the client, which may mean fetching its document, and leaves the rest to `asking`."""

    def __init__(self, clients: Clients, address: PublicAddress, in_force: InForce) -> None:
        self._clients = clients
        self._address = address
        self._in_force = in_force

    async def judge(self, sent: Sent) -> Asked | Refusal | Unanswerable:
        """What a request comes to."""
        client_id = client_of(sent)
        if isinstance(client_id, Unanswerable):
            return client_id
        try:
            client = await self._clients.find_client(client_id)
        except (ClientUnknown, ClientDocumentFailed) as error:
            return Unanswerable(str(error))
        return judge_request(sent, client, self._address, self._in_force)

    def find_asker(self, path: str) -> Asker | None:
        """Who asks by way of the page at `path` of the platform; None when nobody does. No document is fetched."""
        if not is_request(path):
            return None
        sent = read_request(urlsplit(path).query)
        client_id = client_of(sent)
        if isinstance(client_id, Unanswerable):
            return None
        client = self._clients.client_at_hand(client_id)
        if client is None:
            place = place_of_resource(self._address, sent.get("resource", [""])[0], self._in_force)
            return Asker(None, None, self._host_of(place)) if place and is_document_id(client_id) else None
        outcome = judge_request(sent, client, self._address, self._in_force)
        if not isinstance(outcome, Asked):
            return None
        return Asker(client.name, proven_host(client), self._host_of(outcome.place))

    def _host_of(self, place: WikiHost | OwnDomain) -> str:
        return urlsplit(self._address.origin_at(place)).netloc


def is_request(path: str) -> bool:
    """Whether a path of the platform is an authorization request."""
    return path.startswith(f"{AUTHORIZE}?")


def read_request(query: str) -> Sent:
    """The parameters in a query, or in the field of a form that holds one."""
    return parse_qs(query, keep_blank_values=True)


def spell_request(sent: Sent) -> str:
    """The opposite of `read_request`: parameters as a query, in characters that any address may have."""
    return urlencode(sent, doseq=True)
