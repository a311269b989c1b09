"""The OpenID Connect provider that the settings name."""

from __future__ import annotations

from dataclasses import replace

from robot.address import PublicAddress
from robot.fetch import Door, IpAddress
from robot.settings import Settings
from robot.signin.client_secret import read_client_secret
from robot.signin.oidc.client import CALLBACK_PATH, OidcProvider, Registration
from robot.signin.oidc.issuer import Issuer


def chosen_provider(settings: Settings, address: PublicAddress, door: Door) -> OidcProvider | None:
    """The provider, or None when none is set. Raises `SettingsError` when its secret cannot be read."""
    if not settings.oidc_issuer:
        return None
    registration = Registration(
        settings.oidc_client_id, read_client_secret(settings), address.platform_origin + CALLBACK_PATH
    )
    home = replace(door, allows=is_host) if settings.oidc_private else door
    return OidcProvider(Issuer(settings.oidc_issuer, door=door, home=home), registration, label=settings.oidc_label)


def is_host(address: IpAddress) -> bool:
    """Whether an address can be that of a host, also of one in a private network; of link-local ones none is.

    Those are how clouds tell machines their own secrets.
    """
    inner = getattr(address, "ipv4_mapped", None) or address
    return not (inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved)
