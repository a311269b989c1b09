"""The secret by which an OpenID Connect provider knows this host, wherever the operator keeps it."""

from __future__ import annotations

from robot.settings import Settings, SettingsError


def read_client_secret(settings: Settings) -> str:
    """The client's secret, from the setting or its file; "" where there is none. Raises `SettingsError`."""
    if settings.oidc_client_secret_file is None:
        return settings.oidc_client_secret.get_secret_value()
    try:
        secret = settings.oidc_client_secret_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"oidc_client_secret_file {settings.oidc_client_secret_file}: {reason}.") from error
    if not secret:
        raise SettingsError(f"oidc_client_secret_file {settings.oidc_client_secret_file} is empty.")
    return secret
