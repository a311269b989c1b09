"""What alerts need that nobody else is to know, wherever the operator keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field

from robot.secret_files import read_secret_file
from robot.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class AlertSecrets:
    """The address of the webhook, and the password at the mail server; empty where there is none."""

    webhook: str = field(repr=False)
    smtp_password: str = field(repr=False)


def read_alert_secrets(settings: Settings) -> AlertSecrets:
    """From the settings and their files. Raises `SettingsError`."""
    webhook, password = settings.alert_webhook.get_secret_value(), ""
    if settings.alert_webhook_file is not None:
        webhook = read_secret_file("alert_webhook_file", settings.alert_webhook_file)
        if not webhook.startswith("https://"):
            raise SettingsError(f"alert_webhook_file {settings.alert_webhook_file} holds no address with https://.")
    if settings.alert_smtp_password_file is not None:
        password = read_secret_file("alert_smtp_password_file", settings.alert_smtp_password_file)
    return AlertSecrets(webhook, password)
