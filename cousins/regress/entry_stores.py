"""Where entries of results lie: a folder, or objects below an address of fsspec such as `s3://BUCKET/PREFIX`.

An entry appears whole or not at all, and one that exists is left as it is. In a folder the first of two simultaneous
writers wins. A bucket has no such rule, and the last one wins: keys are digests of the content, so both wrote the same
result. On a file system without whole writes (SFTP, SMB) an entry is written beside its place and moved there.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from cousins.errors import InputError, OutputError, StoreError
from cousins.extras import requires_extra
from cousins.pack.transfer.object_stores import ObjectStore
from cousins.pack.transfer.registry import open_store
from cousins.publishing import move_new, staging_folder, sync

WHOLE_WRITES: Final = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "az", "oss", "memory"))
"""Schemes whose objects appear whole, once all of their bytes have arrived."""
HINT: Final = "Mend the address (--store or COUSINS_REGRESS); access keys come from the environment, as for packs."


class EntryStore(Protocol):
    """Small files by key, such as `results/ab/cd….json`."""

    def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that exist; raises `InputError` where the store does not answer."""

    def write_new(self, key: str, data: bytes) -> None:
        """Write an entry whole or not at all; one that exists is left as it is."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix that ends in `/`, sorted."""

    def place(self, key: str) -> str:
        """Return what a user would call the entry: a path or an address."""


class FolderEntries:
    """Entries as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            for name in ("results", "red"):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"no way to write {os.fspath(root)!r} ({error.strerror})",
                expected="a folder for results",
                hint="Choose one with --store or COUSINS_REGRESS.",
            ) from error

    def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that exist."""
        contents = {}
        for key in keys:
            try:
                contents[key] = (self.root / key).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise InputError(
                    f"an entry {self.place(key)!r} that cannot be read ({error.strerror})",
                    expected="a file",
                    hint=f"Type `rm -r {self.place(key)}`: the episode is run again.",
                ) from error
        return contents

    def write_new(self, key: str, data: bytes) -> None:
        """Write an entry in a staging folder and move it to its place."""
        path = self.root / key
        with staging_folder(path.parent) as staging:
            fresh = staging / "entry"
            fresh.write_bytes(data)
            sync(fresh)
            try:
                move_new(fresh, path)
            except OutputError:
                if not path.is_file():
                    raise

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix; staging folders are passed over."""
        paths = (self.root / prefix).rglob("[!.]*.json")
        keys = (path.relative_to(self.root).as_posix() for path in paths)
        return sorted(key for key in keys if "/." not in key)

    def place(self, key: str) -> str:
        """Return the path of an entry."""
        return os.fspath(self.root / key)


class RemoteEntries:
    """Entries as objects below an address of fsspec."""

    def __init__(self, objects: ObjectStore, *, has_whole_writes: bool) -> None:
        self._objects, self._has_whole_writes = objects, has_whole_writes

    def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that exist, read together."""
        return self._objects.read(keys)

    def write_new(self, key: str, data: bytes) -> None:
        """Write an entry in one step, or beside its place from where it is moved."""
        if self._objects.size(key) is not None:
            return
        if self._has_whole_writes:
            self._objects.write({key: data})
            return
        folder, _, name = key.rpartition("/")
        fresh = f"{folder}/.{uuid.uuid4().hex}-{name}"[: len(folder) + 75]
        self._objects.make_folder(key)
        self._objects.write({fresh: data})
        self._objects.move(fresh, key)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix; what is being written is passed over."""
        keys = (entry.key for entry in self._objects.entries(prefix))
        return sorted(key for key in keys if key.endswith(".json") and "/." not in key)

    def place(self, key: str) -> str:
        """Return the address of an entry."""
        return f"{self._objects.address.rstrip('/')}/{key}"


def open_entries(address: str | Path) -> EntryStore:
    """Return the entries at a folder or an address; raises `InputError` where there is no such file system."""
    text = os.fspath(address)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return FolderEntries(Path(text))
    if scheme == "file":
        return FolderEntries(Path(rest))
    objects = open_store(text) if scheme == "s3" else _generic_objects(text)
    assert isinstance(objects, ObjectStore), "buckets are object stores"
    return RemoteEntries(objects, has_whole_writes=scheme in WHOLE_WRITES)


def _generic_objects(address: str) -> ObjectStore:
    """Return objects at an address of any file system that fsspec knows."""
    with requires_extra("s3"):
        import fsspec
    try:
        system, root = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError, OSError) as error:
        raise StoreError(
            f"no store of results at {address!r} ({' '.join(str(error).split())[:200]})",
            expected="a folder, s3://BUCKET/PREFIX or another address of fsspec whose package is installed",
            hint=HINT,
        ) from error
    errors: tuple[type[Exception], ...] = (OSError, ValueError, NotImplementedError)
    return ObjectStore(address, system, root=str(root).rstrip("/"), errors=errors, hint=HINT)
