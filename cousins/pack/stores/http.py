"""A folder store served by any web server, to be read: a static site, a bucket's public address, nginx."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

from cousins.errors import StoreError
from cousins.pack.transfer.registry import TAGS, PackStore, StoreEntry, fetch, require_key
from cousins.web import Answer, WebError, WebLimits, opened

_MAX_TAGS_BYTES: Final = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which address."""

    address: str
    """`http://` or `https://`, and where the store begins."""
    limits: WebLimits = field(default_factory=WebLimits)
    """How long the server may take."""


def build(config: Config) -> PackStore:
    """Return the store without contacting the server."""
    return HttpStore(config.address, limits=config.limits)


class HttpStore:
    """A store that is read by GET, with ranges, and cannot be written."""

    def __init__(self, address: str, *, limits: WebLimits) -> None:
        self.address = address
        self._limits = limits

    def size(self, key: str) -> int | None:
        """Return the length from the server [bytes], None for status 404."""
        lengths: list[int] = []
        with self._errors(key, absent=(403, 404, 410)), self._opened(key, method="HEAD") as answer:
            lengths.append(int(answer.headers.get("Content-Length") or 0))
        return lengths[0] if lengths else None

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """Give the bytes from `start` on; a server without ranges is read from its beginning."""
        with self._errors(key, absent=(416,)), self._opened(key, start=start) as answer:
            left = start if answer.status == 200 else 0
            length = int(answer.headers.get("Content-Length") or -1)
            count = 0
            for part in answer.chunks():
                count += len(part)
                skipped = min(left, len(part))
                left -= skipped
                if part[skipped:]:
                    yield part[skipped:]
            if length >= 0 and count < length:
                raise HTTPException(f"{count} of {length} bytes")

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

    def _opened(self, key: str, *, start: int = 0, method: str = "GET") -> AbstractContextManager[Answer]:
        address = "/".join([self.address.rstrip("/"), *require_key(key)])
        return opened(address, start=start, method=method, limits=self._limits)

    @contextmanager
    def _errors(self, key: str, *, absent: tuple[int, ...]) -> Iterator[None]:
        """Turn what goes wrong into `StoreError`; the statuses `absent` end the block without one."""
        try:
            yield
        except WebError as error:
            raise StoreError(error.found, expected=error.expected, hint=error.hint) from error
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in absent:
                raise self._unavailable(key, error) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self._unavailable(key, error) from error

    def _unavailable(self, key: str, error: Exception) -> StoreError:
        return StoreError(
            f"no whole answer for {key} from {self.address} ({error})",
            expected="a server that shows a store of packs",
            hint="Type the same again: what came so far is kept.",
        )
