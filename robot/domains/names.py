"""A domain as somebody types it, and as DNS has it (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import idna

from proxy.hosts import MAX_NAME_CHARS, Host, OwnDomain, PlatformHost, UnknownHost, WikiHost, parse_host, split_host
from robot.address import PublicAddress

CHALLENGE_LABEL = "_robot-challenge"
"""Where, below a domain, its owner puts the wiki's value."""

_EXAMPLE = "notes.example.org"


class InvalidDomain(ValueError):
    """A domain that a wiki cannot have; the message says why, and what to type instead."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A host name of the public DNS, in lower case, without a dot at its end and with its labels in ASCII."""

    name: str

    @property
    def shown(self) -> str:
        """As people write it (RFC 5891): `bücher.example` for `xn--bcher-kva.example`."""
        return idna.decode(self.name)

    @property
    def is_international(self) -> bool:
        """Whether people and DNS write it differently, so that both are to be shown."""
        return self.shown != self.name

    @property
    def challenge_name(self) -> str:
        """The name of the TXT record that shows that a wiki may have it."""
        return f"{CHALLENGE_LABEL}.{self.name}"


def parse_domain(typed: str, address: PublicAddress) -> Domain:
    """The domain that was typed, if a wiki of this host could have it. Raises `InvalidDomain`.

    Nothing is refused for being a public suffix: who can put a record there may have the name, and nobody else can.
    """
    text = typed.strip()
    if not text:
        raise InvalidDomain(f"Type the domain that the wiki is to have, such as {_EXAMPLE}.")
    if any(char in text for char in "/:@?#* ") or not text.isprintable():
        raise InvalidDomain(f"Type only the name: no https://, port, path, star or space. For example {_EXAMPLE}.")
    host = parse_host([(b"host", _in_ascii(text).encode("ascii"))])
    match None if host is None else split_host(Host(host.name), address.domain):
        case OwnDomain(name):
            return Domain(_in_bounds(name))
        case PlatformHost() | WikiHost():
            raise InvalidDomain(f"{text} is this host's own. Choose a domain of yours.")
        case UnknownHost() if host is not None and host.name.endswith(f".{address.domain}"):
            raise InvalidDomain(f"Names under {address.domain} are this host's own. Choose a domain of yours.")
        case _:
            raise InvalidDomain(f"A wiki needs a full domain name, such as {_EXAMPLE}: no number and no single word.")


def _in_ascii(text: str) -> str:
    """The name with its international labels encoded, mapped to lower case as browsers do it (UTS 46)."""
    try:
        return idna.encode(text.removesuffix("."), uts46=True).decode("ascii")
    except idna.IDNAError:
        raise InvalidDomain(f"{text} is not the name of a host. It has letters, digits and hyphens.") from None


def _in_bounds(name: str) -> str:
    if len(f"{CHALLENGE_LABEL}.{name}") > MAX_NAME_CHARS:
        raise InvalidDomain("This name is too long for the record that has to be put below it.")
    return name
