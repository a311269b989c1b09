"""A destination at an S3-compatible service, through obstore (the `object_store` of Apache Arrow).

Where the service is and who we are to it stands in the environment, by the names that all programs for S3 use:
`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from robot.backup.store import NotStored, Stored, StoreFailed, StoreFull, StoreRefused, StoreUnreachable

if TYPE_CHECKING:
    from obstore.store import ClientConfig

_REQUIRED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_CONNECT_S = 10
_READ_S = 60
_RETRIES = 4
_RETRIES_TAKE = timedelta(seconds=60)
# A part of an upload, of which a few are in memory at once. S3 takes 10,000 parts of at least this size each.
_PART_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 2
_GET_BYTES = 1024 * 1024

_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"})


class BucketStore:
    """A `Store`. `prefix` is empty or a path in the bucket; raises `StoreRefused` when no credentials are set."""

    def __init__(self, bucket: str, prefix: str, environment: Mapping[str, str]) -> None:
        missing = [name for name in _REQUIRED if not environment.get(name)]
        if missing:
            raise StoreRefused(f"Set {' and '.join(missing)} in the environment, for the bucket {bucket}.")
        self._address = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options=_client(environment),
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRIES_TAKE},
            # Not every service has the other way.
            disable_bulk_delete=True,
        )

    @property
    def address(self) -> str:
        return self._address

    def list(self, prefix: str) -> Iterator[Stored]:
        with self._translated(""):
            for some in self._store.list(prefix or None):
                yield from (Stored(each["path"], each["size"]) for each in some)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        rest = iter(pieces)
        start = b""
        for piece in rest:
            start += piece
            if len(start) >= _PART_BYTES:
                break
        whole = len(start) < _PART_BYTES
        with self._translated(""):
            if whole:
                self._store.put(name, start, use_multipart=False)
            else:
                parts = _joined(start, rest)
                self._store.put(name, parts, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    def get(self, name: str) -> Iterator[bytes]:
        with self._translated(name):
            yield from map(bytes, self._store.get(name).stream(min_chunk_size=_GET_BYTES))

    def delete(self, name: str) -> None:
        with self._translated(""):
            self._store.delete(name)

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """`name` is the file that is read, and empty where one that is missing cannot be the reason."""
        try:
            yield
        except FileNotFoundError as error:
            if name and "NoSuchBucket" not in str(error):
                raise NotStored(name, self._address) from error
            raise self._no_bucket() from error
        except BaseError as error:
            raise self._failure(error) from error

    def _no_bucket(self) -> StoreFailed:
        return StoreFailed(f"There is no bucket {self._bucket} at the service; make it, or correct the destination.")

    def _failure(self, error: BaseError) -> Exception:
        text = str(error)
        code = found[1] if (found := _CODE.search(text)) else ""
        status = int(found[1]) if (found := _STATUS.search(text)) else 0
        if code == "NoSuchBucket":
            return self._no_bucket()
        if code in _FULL or status == 507:
            return StoreFull(f"{self._address} is full ({code or status}); make room there, or keep fewer backups.")
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in (401, 403):
            return StoreRefused(
                f"The service refuses us at {self._address} ({code or status}); look at AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_REGION, and at what that key may do with the bucket."
            )
        if status == 0 or status in (429, 500, 502, 503, 504):
            reason = code or status or "no answer"
            return StoreUnreachable(f"{self._address} cannot be reached ({reason}); look at AWS_ENDPOINT_URL.")
        return StoreFailed(f"{self._address} failed ({code or status}).")


def _client(environment: Mapping[str, str]) -> ClientConfig:
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    return {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        # Not for the whole of a request: a large part takes its time on a slow line.
        "read_timeout": timedelta(seconds=_READ_S),
    }


def _joined(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest
