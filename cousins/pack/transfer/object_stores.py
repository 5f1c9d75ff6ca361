"""Stores over fsspec: objects by key, read by ranges, each written whole or not at all."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from cousins.errors import StoreError
from cousins.pack.transfer.registry import StoreEntry, require_key

CHUNK_BYTES: Final = 4 << 20
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
        info = self._call_or_none(key, self._system.info, self.path(key))
        return None if info is None else int(info["size"])

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """Give the bytes from `start` on, a range at a time."""
        size = self.size(key)
        while size is None or start < size:
            end = min(start + CHUNK_BYTES, size or 0)
            read_range = partial(self._system.cat_file, self.path(key), start=start, end=end)
            part = None if size is None else self._call_or_none(key, read_range)
            if not part:
                raise self.unavailable(key, FileNotFoundError("nothing there"))
            yield part
            start += len(part)

    def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those objects that exist, read together; each whole."""
        if not keys:
            return {}
        by_path = {self._system._strip_protocol(self.path(key)): key for key in keys}
        answers = self.call(keys[0], lambda: self._system.cat(list(by_path), on_error="return"))
        contents: dict[str, bytes] = {}
        for path, answer in answers.items():
            if isinstance(answer, bytes):
                contents[by_path[path]] = answer
            elif not isinstance(answer, FileNotFoundError):
                raise self.unavailable(by_path[path], answer) from answer
        return contents

    def make_folder(self, key: str) -> None:
        """Make the folder that an object lies in, where the file system has folders."""
        self.call(key, lambda: self._system.makedirs(self.path(key).rpartition("/")[0], exist_ok=True))

    def move(self, source: str, target: str) -> None:
        """Move an object."""
        self.call(target, self._system.mv, self.path(source), self.path(target))

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put objects, one after the other."""
        for key, data in files.items():
            self.call(key, self._system.pipe_file, self.path(key), data)

    def entries(self, prefix: str) -> list[StoreEntry]:
        """Return the objects below a prefix, sorted."""
        infos = (
            self._call_or_none(prefix, lambda: self._system.find(f"{self._root}/{prefix.rstrip('/')}", detail=True))
            or {}
        )
        now = time.time()
        return [
            StoreEntry(key=path.removeprefix(f"{self._root}/"), size=int(info["size"]), age_s=_age_s(info, now))
            for path, info in sorted(infos.items())
        ]

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._call_or_none(key, self._system.rm_file, self.path(key))

    def path(self, key: str) -> str:
        """Return the path of a key."""
        return "/".join([self._root, *require_key(key)])

    def unavailable(self, key: str, error: Exception) -> StoreError:
        """Return the error of a store that does not answer."""
        return StoreError(
            f"no answer for {key} from {self.address} ({' '.join(str(error).split())[:300]})",
            expected="a store that answers",
            hint=self._hint,
        )

    def call(self, key: str, work: Callable[..., T], *arguments: object) -> T:
        """Call the file system; a missing bucket or repository is an error too."""
        try:
            return work(*arguments)
        except self._errors as error:
            raise self.unavailable(key, error) from error

    def _call_or_none(self, key: str, work: Callable[..., T], *arguments: object) -> T | None:
        """Return the result of a call to the file system, None where the object does not exist."""
        try:
            return work(*arguments)
        except FileNotFoundError:
            return None
        except self._errors as error:
            raise self.unavailable(key, error) from error


def _age_s(info: Mapping[str, Any], now: float) -> float:
    """Return how old an object is [s], 0 where the system reports no time."""
    commit = info.get("last_commit")
    moment = info.get("LastModified") if commit is None else commit.date
    return max(now - moment.timestamp(), 0.0) if isinstance(moment, datetime.datetime) else 0.0
