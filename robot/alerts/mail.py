"""Alerts by mail: SMTP with the standard library, in a thread."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from functools import partial
from pathlib import Path
from typing import Literal

import trio

from robot.alerts.message import Message
from robot.alerts.ways import SEND_S, NotSent

Security = Literal["starttls", "tls", "none"]

USUAL_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}

_STEP_S = 10.0  # for one answer of the server; all together have SEND_S


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server that takes our mail. `ca_file` replaces the machine's authorities."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """The way `mail`."""

    server: Server
    sender: str
    to: tuple[str, ...]
    name: str = "mail"
    # One at a time: a server that answers a letter an hour keeps a thread, and no more than one.
    _turn: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    async def send(self, message: Message) -> None:
        """Hand it to the server. Raises `NotSent`."""
        letter, own_name = compose(message, self.sender, self.to), _domain_of(self.sender)
        hand_over = partial(_hand_over, self.server, own_name, letter)
        with trio.move_on_after(SEND_S):
            await trio.to_thread.run_sync(hand_over, abandon_on_cancel=True, limiter=self._turn)
            return
        raise NotSent(f"The mail server {self.server.host} did not take the message within {SEND_S:g} seconds.")


def compose(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The letter (pure, but for its random id)."""
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address("robot", addr_spec=sender)
    letter["To"] = ", ".join(to)
    letter["Subject"] = message.subject
    letter["Date"] = format_datetime(message.at)
    letter["Message-ID"] = make_msgid(domain=_domain_of(sender))
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers
    letter.set_content(message.text)
    return letter


def _hand_over(server: Server, own_name: str, letter: EmailMessage) -> None:
    """Blocks. What the server says may name people and secrets, so only its code is told."""
    try:
        with _connect(server, own_name) as connection:
            if server.user:
                connection.login(server.user, server.password)
            refused = connection.send_message(letter)
    except ssl.SSLError as error:
        raise NotSent(f"The certificate of the mail server {server.host} is not right.") from error
    except smtplib.SMTPNotSupportedError as error:
        raise NotSent(f"The mail server {server.host} offers no STARTTLS, or no sign-in; see alert_smtp_*.") from error
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent(f"The mail server {server.host} refused alert_smtp_user and its password.") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent(f"The mail server {server.host} refused each of alert_mail_to.") from error
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"The mail server {server.host} refused the message (code {error.smtp_code}).") from error
    except UnicodeEncodeError:
        # Not its cause, which quotes a letter of the password.
        raise NotSent(
            "alert_smtp_user, its password and addresses may have ASCII letters only; smtplib sends no others."
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"The mail server {server.host} port {server.port} cannot be reached.") from error
    if refused:
        raise NotSent(f"The mail server {server.host} refused {len(refused)} of alert_mail_to; the others have it.")


def _connect(server: Server, own_name: str) -> smtplib.SMTP:
    """`own_name` is whom we say we are; smtplib would ask the name servers, and wait for them."""
    trust = ssl.create_default_context(cafile=server.ca_file)
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=_STEP_S, context=trust)
    connection = smtplib.SMTP(server.host, server.port, own_name, timeout=_STEP_S)
    if server.security == "starttls":
        try:
            connection.starttls(context=trust)
        except BaseException:
            connection.close()
            raise
    return connection


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]
