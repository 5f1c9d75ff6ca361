"""A folder on this machine, or on a disk that several share."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cousins.disk_errors import disk_errors
from cousins.errors import StoreError
from cousins.pack.transfer.registry import PackStore, StoreEntry, require_key
from cousins.publishing import remove_abandoned, staging_folder, sync

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which folder."""

    address: str
    """Its path."""


def build(config: Config) -> PackStore:
    """Return the store; the folder is made when something is written."""
    return FolderStore(config.address)


class FolderStore:
    """Files by key; links among them are refused."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.root = Path(address)

    def size(self, key: str) -> int | None:
        """Return the length of what lies there, None for nothing."""
        path = self._path(key)
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not path.is_file() or path.is_symlink():
            raise _no_file(key, self.address)
        return status.st_size

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """Give the bytes from `start` on."""
        try:
            handle = os.open(self._path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise _no_file(key, self.address) from error
        with os.fdopen(handle, "rb") as file:
            file.seek(start)
            while part := file.read(_CHUNK_BYTES):
                yield part

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put files, each by one rename, synced to the disk; what a killed push left behind is removed."""
        hint = "Then push again: what is there already is not sent twice."
        with disk_errors(self.root, hint=hint), staging_folder(self.root) as staging:
            for number, (key, data) in enumerate(files.items()):
                self._put(key, data, staging / str(number))

    def _put(self, key: str, data: bytes, fresh: Path) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o644)
        fresh.replace(path)
        sync(path.parent)

    def entries(self, prefix: str) -> list[StoreEntry]:
        """Return the files below a prefix, sorted; what a killed push left behind is removed."""
        if self.root.is_dir():
            remove_abandoned(self.root)
        now = time.time()
        entries = []
        for folder, _, names in os.walk(self.root / prefix):
            for name in names:
                path = Path(folder) / name
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    key = path.relative_to(self.root).as_posix()
                    entries.append(StoreEntry(key=key, size=status.st_size, age_s=max(now - status.st_mtime, 0.0)))
        return sorted(entries, key=lambda entry: entry.key)

    def delete(self, key: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        path = self.root.joinpath(*require_key(key))
        if path.parent.exists() and not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise _no_file(key, self.address)
        return path


def _no_file(key: str, address: str) -> StoreError:
    return StoreError(
        f"no plain file {key} at {address}",
        expected="files inside the folder, and no links",
        hint="Push the pack there again.",
    )
