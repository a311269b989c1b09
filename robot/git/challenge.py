"""How a git request without good credentials is refused: git asks its user, or its store, only after this."""

from __future__ import annotations

from proxy.asgi import Send
from robot.answers import answer_text
from robot.challenge import NOT_VALID

_NONE_SENT = "This wiki asks for a token: give one of its tokens as the password, with any user name."


async def refuse_credentials(send: Send, origin: str, *, token_sent: bool) -> None:
    """Answer 401 with a Basic challenge (RFC 7617). Anonymous requests get it too, and are no failed sign-in."""
    challenge = f'Basic realm="{origin}", charset="UTF-8"'.encode()
    await answer_text(send, 401, NOT_VALID if token_sent else _NONE_SENT, (b"www-authenticate", challenge))
