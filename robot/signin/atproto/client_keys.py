"""The ES256 keys by which authorization servers know this host: made at the first start, kept with mode 0600, rotated.

A new key is published at once and signs later, when every server that keeps our documents for a while has seen it; the
one before stays published for as long as a sign-in that it began may take. No tokens are kept, so nothing else is bound
to an old key. The file is read anew for each use: `robot keys rotate` runs beside the host.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from robot.clock import Clock, moment, wall_clock
from robot.signin.keys import KeyUnreadable

PUBLISHED_AHEAD_S = 15 * 60
"""Bluesky's server keeps a client's keys for ten minutes, and caches before it may keep them for five more."""

PUBLISHED_BEHIND_S = 15 * 60
"""A sign-in may take ten minutes, and a server demands at its end the key that it saw at its beginning."""

_CURVE = "P-256"
_FILE = "atproto.json"
_SIGNS_FROM = "signs_from"


class RotationUnderWay(Exception):
    """There is a new key already; the message says from when it signs."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One key pair, and since when (seconds since 1970) it signs."""

    pair: ECKey = field(repr=False)
    signs_from: int

    @property
    def id(self) -> str:
        """Its thumbprint (RFC 7638), so that it is the same wherever it is computed."""
        return self.pair.thumbprint()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys there are, the oldest first; never empty (pure)."""

    keys: tuple[ClientKey, ...]

    def signing(self, now: float) -> ClientKey:
        """The key to begin a sign-in with. It is the first if the clock was put back before all of them."""
        return next((key for key in reversed(self.keys) if key.signs_from <= now), self.keys[0])

    def of_id(self, key_id: str, now: float) -> ClientKey | None:
        """The key of that id, as long as it is published."""
        return next((key for key in self.published(now) if key.id == key_id), None)

    def published(self, now: float) -> tuple[ClientKey, ...]:
        """The keys that servers must know: all but those whose successor has been signing for long enough."""
        after = (*(key.signs_from for key in self.keys[1:]), None)
        return tuple(
            key
            for key, until in zip(self.keys, after, strict=True)
            if until is None or now < until + PUBLISHED_BEHIND_S
        )

    def rotated(self, fresh: ECKey, now: float) -> KeyRing:
        """With a new key that signs soon, without those that are done with. Raises `RotationUnderWay`."""
        newest = self.keys[-1]
        if newest.signs_from > now:
            when = moment(newest.signs_from)
            raise RotationUnderWay(f"A new key is published already; it signs from {when:%Y-%m-%d %H:%M} UTC on.")
        return KeyRing((*self.published(now), ClientKey(fresh, int(now) + PUBLISHED_AHEAD_S)))


class ClientKeys:
    """The ring in the directory `keys`."""

    def __init__(self, keys: Path, *, clock: Clock = wall_clock) -> None:
        self._place = keys / _FILE
        self._clock = clock

    async def ring(self) -> KeyRing:
        """What is there now. Raises `KeyUnreadable`."""
        return await trio.to_thread.run_sync(self.load)

    def load(self) -> KeyRing:
        """What is there now, with a first key if there was none; for threads. Raises `KeyUnreadable`, OSError."""
        try:
            return _read(self._place)
        except FileNotFoundError:
            with _held(self._place.parent):
                if not self._place.exists():
                    _write(self._place, KeyRing((ClientKey(_new_pair(), int(self._clock())),)))
            return _read(self._place)

    def rotate(self) -> KeyRing:
        """Publish a new key, which signs soon. Raises `RotationUnderWay`, `KeyUnreadable`, OSError."""
        self.load()
        with _held(self._place.parent):
            ring = _read(self._place).rotated(_new_pair(), self._clock())
            _write(self._place, ring)
        return ring

    def replace(self) -> KeyRing:
        """Drop every key for a new one that signs at once, for when one was stolen; damaged ones too. Raises OSError.

        Servers that keep the old ones refuse sign-ins until they ask again.
        """
        ring = KeyRing((ClientKey(_new_pair(), int(self._clock())),))
        with _held(self._place.parent):
            _write(self._place, ring)
        return ring


def public_jwk(key: ClientKey) -> Mapping[str, Any]:
    """What others may know of a key (RFC 7517)."""
    return {**key.pair.as_dict(private=False), "kid": key.id, "use": "sig", "alg": "ES256"}


def _new_pair() -> ECKey:
    return ECKey.generate_key(_CURVE, private=True, auto_kid=False)


def _read(place: Path) -> KeyRing:
    try:
        said = json.loads(place.read_bytes())["keys"]
        keys = tuple(ClientKey(_pair(each), int(each[_SIGNS_FROM])) for each in said)
    except (ValueError, KeyError, TypeError, JoseError):
        keys = ()
    if not keys:
        # Not chained: the error of a parser may quote what it read.
        raise KeyUnreadable(f"{place} does not hold the keys for signing in with Bluesky; remove it to make new ones")
    return KeyRing(keys)


def _pair(said: Mapping[str, Any]) -> ECKey:
    pair = ECKey.import_key({name: said[name] for name in ("kty", "crv", "x", "y", "d")})
    if pair.curve_name != _CURVE:
        raise ValueError("not a key for ES256")
    return pair


def _write(place: Path, ring: KeyRing) -> None:
    """Put the ring there, whole or not at all."""
    said = {"keys": [{**key.pair.as_dict(private=True), _SIGNS_FROM: key.signs_from} for key in ring.keys]}
    fresh = place.with_name(f".{place.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place)


@contextmanager
def _held(keys: Path) -> Iterator[None]:
    """Keep other processes from changing the ring. The kernel's lock dies with whoever holds it."""
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(keys, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
