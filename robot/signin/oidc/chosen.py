"""The OpenID Connect provider that the settings name."""

from __future__ import annotations

from dataclasses import replace

from robot.address import PublicAddress
from robot.fetch import Door, is_host
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
