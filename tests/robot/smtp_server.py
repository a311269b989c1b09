"""A mail server on loopback that keeps what it takes, with the TLS and the sign-in that a test wants."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from robot.alerts.mail import Security, Server

USER, PASSWORD = "robot", "the-smtp-password"


@dataclass
class Post:
    """A running server. `letters` are those that it took; `refuses` answers each letter with code 554 instead."""

    host: str
    port: int
    ca_file: Path
    letters: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False

    def server(self, security: Security, password: str = PASSWORD) -> Server:
        """How to reach it; somebody signs in where that is not in the clear."""
        user = "" if security == "none" else USER
        return Server(self.host, self.port, security, user, password if user else "", self.ca_file)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuses:
            return "554 5.7.1 not from you, secret-word"
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


@contextlib.contextmanager
def smtp_server(place: Path, security: Security) -> Iterator[Post]:
    """Serve at `localhost`, on a port that is free."""
    authority = trustme.CA()
    ca_file, chain = place / "smtp-authority.pem", place / "smtp.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(chain)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(chain)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    post = Post("localhost", port, ca_file)
    controller = Controller(
        post,
        hostname="127.0.0.1",
        port=port,
        ssl_context=trust if security == "tls" else None,
        tls_context=trust if security == "starttls" else None,
        require_starttls=security == "starttls",
        authenticator=_authenticate,
        auth_required=security != "none",
        # Over implicit TLS the server does not see that there is any.
        auth_require_tls=security == "starttls",
    )
    controller.start()
    try:
        yield post
    finally:
        controller.stop()


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, sent: object) -> AuthResult:
    is_right = isinstance(sent, LoginPassword) and (sent.login, sent.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)
