"""Who a client is, by its id."""

from __future__ import annotations

from robot.oauth.clients import Client, ClientUnknown
from robot.oauth.documents import ClientDocuments, is_document_id
from robot.oauth.registrations import Registrations


class Clients:
    """All clients: those that registered, and those with a document."""

    def __init__(self, registrations: Registrations, documents: ClientDocuments) -> None:
        self._registrations = registrations
        self._documents = documents

    async def find_client(self, client_id: str) -> Client:
        """The client of that id. Raises `ClientUnknown` or `ClientDocumentFailed`."""
        if is_document_id(client_id):
            return await self._documents.find(client_id)
        client = self._registrations.find(client_id)
        if client is None:
            raise ClientUnknown("No client has this id; it may have been unused for too long. Register again.")
        return client

    def client_at_hand(self, client_id: str) -> Client | None:
        """The client of that id, if nobody need be asked about it; in place."""
        return self._documents.kept(client_id) if is_document_id(client_id) else self._registrations.find(client_id)

    async def note_use(self, client: Client) -> None:
        """Tell that the client took part in a grant; unused ones are forgotten."""
        await self._registrations.note_use(client)
