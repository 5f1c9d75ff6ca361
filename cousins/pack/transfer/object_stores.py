"""Stores over fsspec: objects by key, read by ranges, each written whole or not at all."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from cousins.errors import StoreError
from cousins.pack.transfer.registry import Entry, require_key

STEP: Final = 4 << 20
"""Bytes asked for at a time."""
T = TypeVar("T")


class ObjectStore:
    """Objects below a root of a file system of fsspec."""

    def __init__(self, address: str, system: Any, *, root: str, errors: tuple[type[Exception], ...], hint: str) -> None:
        self.address = address
        self._system = system
        self._root = root
        self._errors = errors
        self._hint = hint

    def size(self, key: str) -> int | None:
        """Return the length of an object, None for none."""
        told = self._ask(key, self._system.info, self.path(key))
        return None if told is None else int(told["size"])

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """Give the bytes from `start` on, a range at a time."""
        whole = self.size(key)
        while whole is None or start < whole:
            end = min(start + STEP, whole or 0)
            ask = partial(self._system.cat_file, self.path(key), start=start, end=end)
            part = None if whole is None else self._ask(key, ask)
            if not part:
                raise self.silent(key, FileNotFoundError("nothing there"))
            yield part
            start += len(part)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put objects, one after the other."""
        for key, data in files.items():
            self.do(key, self._system.pipe_file, self.path(key), data)

    def entries(self, prefix: str) -> list[Entry]:
        """Return the objects below a prefix, sorted."""
        found = self._ask(prefix, lambda: self._system.find(f"{self._root}/{prefix.rstrip('/')}", detail=True)) or {}
        now = time.time()
        return [
            Entry(key=path.removeprefix(f"{self._root}/"), size=int(told["size"]), age_s=_age_s(told, now))
            for path, told in sorted(found.items())
        ]

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._ask(key, self._system.rm_file, self.path(key))

    def path(self, key: str) -> str:
        """Return where a key lies."""
        return "/".join([self._root, *require_key(key)])

    def silent(self, key: str, error: Exception) -> StoreError:
        """Return the error of a store that does not answer."""
        return StoreError(
            f"no answer for {key} from {self.address} ({' '.join(str(error).split())[:300]})",
            expected="a store that answers",
            hint=self._hint,
        )

    def do(self, key: str, work: Callable[..., T], *arguments: object) -> T:
        """Let the system do something; a bucket or repository that is not there is an error too."""
        try:
            return work(*arguments)
        except self._errors as error:
            raise self.silent(key, error) from error

    def _ask(self, key: str, work: Callable[..., T], *arguments: object) -> T | None:
        """Return what the system says, None where nothing is there."""
        try:
            return work(*arguments)
        except FileNotFoundError:
            return None
        except self._errors as error:
            raise self.silent(key, error) from error


def _age_s(told: Mapping[str, Any], now: float) -> float:
    """Return how old an object is [s], 0 where the system does not tell."""
    commit = told.get("last_commit")
    moment = told.get("LastModified") if commit is None else commit.date
    return max(now - moment.timestamp(), 0.0) if isinstance(moment, datetime.datetime) else 0.0
