"""The secret by which an OpenID Connect provider knows this host, wherever the operator keeps it."""

from __future__ import annotations

from robot.secret_files import read_secret_file
from robot.settings import Settings


def read_client_secret(settings: Settings) -> str:
    """The client's secret, from the setting or its file; "" where there is none. Raises `SettingsError`."""
    if settings.oidc_client_secret_file is None:
        return settings.oidc_client_secret.get_secret_value()
    return read_secret_file("oidc_client_secret_file", settings.oidc_client_secret_file)
