"""Signing in with a Bluesky account, or with any other of the AT Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robot.address import PublicAddress
from robot.clock import Clock, wall_clock
from robot.fetch import Door
from robot.signin.atproto.callback import read_code, read_subject
from robot.signin.atproto.client_document import client_id, redirect_uri
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.atproto.discovery import Discovery, check_serves
from robot.signin.atproto.identity import Identities
from robot.signin.atproto.oauth import OAuthClient
from robot.signin.atproto.origins import bare_origin
from robot.signin.atproto.pending import of_memory, to_memory
from robot.signin.providers import Departure, Identity, SignInFailed


@dataclass(frozen=True, slots=True)
class AtprotoProvider:
    """The `Provider` for the AT Protocol."""

    client: OAuthClient
    identities: Identities
    discovery: Discovery
    name: str = "atproto"
    label: str = "Bluesky"
    asks: bool = True

    async def begin(self, typed: str, *, state: str, return_after: str = "") -> Departure:
        """Send the browser of a handle, a DID, or whoever has an account at an https address, to its server."""
        if "://" in typed:
            server = await self.discovery.server_at(_origin(typed))
            did = hint = None
        else:
            who = await self.identities.resolve(typed)
            server = await self.discovery.server_of(who.pds)
            did, hint = who.did, who.handle or who.did
        address, pending = await self.client.push(server, state=state, did=did, hint=hint)
        return Departure(address, to_memory(pending))

    async def finish(self, query: Mapping[str, str], memory: Mapping[str, str]) -> Identity:
        """Who came back. The account must say by now, too, that this server may speak for it."""
        pending = of_memory(memory)
        code = read_code(query, pending.issuer)
        server = await self.discovery.server(pending.issuer)
        async with self.client.redeemed(server, pending, code) as answer:
            did = read_subject(answer, pending.issuer, pending.did)
            # Anybody's server can answer with anybody's DID, so what counts is what the DID says of its server.
            who = await self.identities.resolve_did(did, fresh=True)
            if await self.discovery.issuer_of(who.pds) != pending.issuer:
                host = pending.issuer.partition("://")[2]
                raise SignInFailed("mismatch", f"That account is not one of {host} (any more). Begin again.")
            check_serves(server, who.pds)
        return Identity(self.name, who.did, who.handle, who.handle or "")


def atproto_provider(
    door: Door, identities: Identities, keys: ClientKeys, address: PublicAddress, *, clock: Clock = wall_clock
) -> AtprotoProvider:
    """The provider of the host at `address`, which must be https: servers fetch who we are from there."""
    return AtprotoProvider(
        client=OAuthClient(door, keys, client_id(address), redirect_uri(address), clock),
        identities=identities,
        discovery=Discovery(door),
    )


def _origin(typed: str) -> str:
    origin = bare_origin(typed.strip().lower())
    if origin is None:
        raise SignInFailed(
            "invalid", "Type a handle such as alice.bsky.social, or a server's address such as https://bsky.social."
        )
    return origin
