"""The ways that the settings name."""

from __future__ import annotations

from dataclasses import replace

from robot.alerts.conditions import HOUR_S, MIB, Bounds
from robot.alerts.mail import USUAL_PORTS, Mail, Server
from robot.alerts.secrets import AlertSecrets
from robot.alerts.ways import Way
from robot.alerts.webhook import Webhook
from robot.fetch import Door, is_host
from robot.settings import Settings


def chosen_ways(settings: Settings, secrets: AlertSecrets, door: Door) -> list[Way]:
    """All of them, none by default."""
    ways: list[Way] = []
    if secrets.webhook:
        ways.append(Webhook(secrets.webhook, replace(door, allows=is_host) if settings.alert_webhook_private else door))
    if settings.alert_mail_to:
        sender = settings.alert_mail_from or f"robot@{settings.domain}"
        ways.append(Mail(_mail_server(settings, secrets), sender, settings.alert_mail_to))
    return ways


def chosen_bounds(settings: Settings) -> Bounds:
    """From where on the operator wants to be told."""
    return Bounds(settings.alert_disk_mebibytes * MIB, settings.alert_backup_hours * HOUR_S)


def _mail_server(settings: Settings, secrets: AlertSecrets) -> Server:
    security = settings.alert_smtp_security
    return Server(
        host=settings.alert_smtp_host,
        port=settings.alert_smtp_port or USUAL_PORTS[security],
        security=security,
        user=settings.alert_smtp_user,
        password=secrets.smtp_password,
    )
