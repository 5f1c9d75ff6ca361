"""Local cache of blobs: fetched once, checked while they are received, resumed after an interruption.

The cache is laid out as a store, so that it can stand in for one where there is no network.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from cousins.errors import PackError, StoreError
from cousins.pack.blobs import Blob, BlobFolder
from cousins.pack.manifests import manifest_digest
from cousins.pack.transfer.registry import PackReference, PackStore, fetch, manifest_key, read_tag, resolve
from cousins.pack.verification import check_file
from cousins.publishing import write_atomic
from cousins.scene.io.strict_json import MAX_BYTES

BytesCallback = Callable[[int], None]
"""Progress callback, called with the number of bytes received."""
_CHUNK_BYTES: Final = 1 << 20


class Cache:
    """A folder of blobs in front of a store, or alone where the store is None."""

    def __init__(self, root: Path, store: PackStore | None, *, on_bytes: BytesCallback | None = None) -> None:
        self.root = root
        self.store = store
        self.moved = 0
        """Bytes that came from the store."""
        self.fallbacks: list[str] = []
        """What was taken from the cache because the store did not answer."""
        self._on_bytes = on_bytes
        self._count = threading.Lock()

    def resolve(self, reference: PackReference) -> str:
        """Return the digest of a reference; where the store is silent, its last known digest."""
        if reference.digest:
            return reference.digest
        remembered = self.root / "tags" / _origin_name(self.store, reference) / reference.tag
        if self.store is not None:
            try:
                digest = resolve(self.store, reference)
            except StoreError as error:
                if not remembered.is_file():
                    raise
                self.fallbacks.append(f"the tag {reference} is as it was seen last: {error.found}")
            else:
                remembered.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(remembered, digest.encode() + b"\n")
                return digest
        if not remembered.is_file():
            raise PackError(
                f"no pack {reference} on this machine",
                expected="one that was pulled before, or a store",
                hint=f"Type where it is: {reference}@STORE.",
            )
        return read_tag(remembered.read_bytes(), reference)

    def manifest(self, digest: str) -> bytes:
        """Return `pack.json` of a pack, its hash checked."""
        key = manifest_key(digest)
        path = self.root / key
        if path.is_file():
            data = path.read_bytes()
            if manifest_digest(data) == digest:
                return data
            path.unlink()
        data = fetch(self._required(f"manifest {digest[:12]}"), key, max_bytes=MAX_BYTES)
        if manifest_digest(data) != digest:
            raise _wrong_bytes(f"the manifest {digest[:12]}", self.store)
        self._count_bytes(len(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
        return data

    def read(self, blob: Blob) -> bytes:
        """Return the bytes of a blob, fetched where they are not in the cache."""
        self.ensure(blob)
        return BlobFolder(self.root).read(blob)

    def ensure(self, blob: Blob) -> Path:
        """Return the file of a blob, its hash checked; it is fetched where it is missing or damaged."""
        path = self.root / blob.key
        if check_file(path, blob):
            path.unlink(missing_ok=True)
            self._fetch(blob, path)
        return path

    def link_into(self, blob: Blob, folder: Path, scratch: Path) -> None:
        """Put a blob into a pack folder by way of another: a link where the disk is the same, a copy elsewhere."""
        target = folder / blob.key
        if not check_file(target, blob):
            return
        source = self.ensure(blob)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = scratch / f"{blob.digest}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        try:
            os.link(source, fresh)
        except OSError:
            shutil.copyfile(source, fresh)
        fresh.replace(target)

    def _fetch(self, blob: Blob, path: Path) -> None:
        """Fetch a blob behind what came of it before; a second process waits for the first."""
        store = self._required(f"blob {blob.digest[:12]}")
        part = self.root / "parts" / blob.digest
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not check_file(path, blob):
                return
            resumed = file.tell() > 0
            digest = self._receive(store, blob, file)
            if digest != blob.digest and resumed:
                file.truncate(0)
                digest = self._receive(store, blob, file)
            if digest != blob.digest:
                file.truncate(0)
                raise _wrong_bytes(f"blob {blob.digest[:12]}", store)
            file.flush()
            path.parent.mkdir(parents=True, exist_ok=True)
            part.chmod(0o444)
            part.replace(path)

    def _receive(self, store: PackStore, blob: Blob, file: BinaryIO) -> str:
        """Append what is missing and return the SHA-256 of the whole; bytes beyond its size are refused."""
        total = hashlib.sha256()
        file.seek(0)
        while part := file.read(_CHUNK_BYTES):
            total.update(part)
        if file.tell() > blob.size:
            return ""
        if file.tell() < blob.size:
            for part in store.stream(blob.key, start=file.tell()):
                total.update(part)
                file.write(part)
                self._count_bytes(len(part))
                if file.tell() > blob.size:
                    return ""
        return total.hexdigest()

    def _required(self, wanted_blob: str) -> PackStore:
        if self.store is None:
            raise PackError(
                f"no {wanted_blob} on this machine",
                expected="all of the pack in the cache, or a store to fetch it from",
                hint="Name the store: NAME:TAG@STORE.",
            )
        return self.store

    def _count_bytes(self, count: int) -> None:
        with self._count:
            self.moved += count
        if self._on_bytes is not None:
            self._on_bytes(count)


def _origin_name(store: PackStore | None, reference: PackReference) -> str:
    """Return the name under which tags of one store and pack are remembered."""
    address = store.address if store is not None else reference.store
    return hashlib.sha256(f"{address}\n{reference.name}".encode()).hexdigest()[:40]


def _wrong_bytes(source: str, store: PackStore | None) -> PackError:
    return PackError(
        f"other bytes than its name says in {source}" + (f" from {store.address}" if store is not None else ""),
        expected="bytes of that SHA-256",
        hint="Nothing of it was kept. Type the same again; if it stays so, the store is damaged or lies.",
    )
