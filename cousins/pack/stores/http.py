"""A folder store served by any web server, to be read: a static site, a bucket's public address, nginx."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

from cousins.errors import StoreError
from cousins.pack.transfer.registry import TAGS, PackStore, StoreEntry, fetch, require_key

_CHUNK_BYTES: Final = 1 << 18
_MAX_TAGS_BYTES: Final = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which address."""

    address: str
    """`http://` or `https://`, and where the store begins."""
    timeout_s: float = 30.0
    """How long the server may be silent [s]."""


def build(config: Config) -> PackStore:
    """Return the store without contacting the server."""
    return HttpStore(config.address, timeout_s=config.timeout_s)


class HttpStore:
    """A store that is read by GET, with ranges, and cannot be written."""

    def __init__(self, address: str, *, timeout_s: float) -> None:
        self.address = address
        self._timeout_s = timeout_s

    def size(self, key: str) -> int | None:
        """Return the length from the server [bytes], None for status 404."""
        try:
            with self._request(key, method="HEAD") as answer:
                return int(answer.headers.get("Content-Length") or 0)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (403, 404, 410):
                return None
            raise self._unavailable(key, error) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self._unavailable(key, error) from error

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """Give the bytes from `start` on; a server without ranges is read from its beginning."""
        try:
            with self._request(key, start=start) as answer:
                left = start if answer.status == 200 else 0
                length = int(answer.headers.get("Content-Length") or -1)
                count = 0
                while part := answer.read(_CHUNK_BYTES):
                    count += len(part)
                    skipped = min(left, len(part))
                    left -= skipped
                    if part[skipped:]:
                        yield part[skipped:]
                if length >= 0 and count < length:
                    raise HTTPException(f"{count} of {length} bytes")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 416:
                raise self._unavailable(key, error) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self._unavailable(key, error) from error

    def write(self, files: Mapping[str, bytes]) -> None:  # noqa: ARG002
        """Refuse: web servers are only read."""
        raise StoreError(
            f"{self.address}, which is only read",
            expected="a store that can be written: a folder, s3:// or hf://",
            hint="Push to the folder that the server shows.",
        )

    def entries(self, prefix: str) -> list[StoreEntry]:
        """Return the tags in `tags.json`; nothing else can be listed."""
        if not prefix.startswith("tags/") or self.size(TAGS) is None:
            raise StoreError(
                f"no {TAGS} at {self.address}, and a web server does not list",
                expected="the list of tags that `cousins pack push` writes",
                hint="Name the pack by NAME:TAG or sha256:DIGEST.",
            )
        try:
            record = json.loads(fetch(self, TAGS, max_bytes=_MAX_TAGS_BYTES))
            names = sorted(name for name in record if isinstance(name, str) and name.count(":") == 1)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._unavailable(TAGS, error) from error
        return [
            StoreEntry(key=f"tags/{name.replace(':', '/')}", size=65, age_s=0.0) for name in names if "/" not in name
        ]

    def delete(self, key: str) -> None:
        """Refuse: web servers are only read."""
        self.write({key: b""})

    def _request(self, key: str, *, start: int = 0, method: str = "GET") -> Any:
        address = "/".join([self.address.rstrip("/"), *require_key(key)])
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = urllib.request.Request(address, headers=headers, method=method)
        return urllib.request.urlopen(request, timeout=self._timeout_s)

    def _unavailable(self, key: str, error: Exception) -> StoreError:
        return StoreError(
            f"no whole answer for {key} from {self.address} ({error})",
            expected="a server that shows a store of packs",
            hint="Type the same again: what came so far is kept.",
        )
