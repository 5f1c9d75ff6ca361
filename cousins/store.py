"""A content-addressed store of stage results in a folder.

    stages/<key>.json    commit record of one stage, written last: digest of the value it made, and the value's files
    values/<digest>/     the value: a folder of files, immutable
    locks/, work/        advisory locks and scratch folders; leftovers of killed processes are removed by `gc`

A value is written in `work/`, synced to disk, and published by one rename. A process killed at any point leaves either
no record or a complete value. Every read checks size and SHA-256; a damaged value is deleted and made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cousins.codec import canonical_json
from cousins.publishing import remove_abandoned, sync, write_atomic

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class StoredValue:
    """A value in the store."""

    digest: str
    """SHA-256 of the manifest of its files."""
    folder: Path
    """Folder of its files; read-only by agreement."""
    reused: bool
    """True where an earlier run made the value."""


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Records and values that a sweep deleted."""

    records: int
    """Number of commit records deleted."""
    values: int
    """Number of values deleted."""
    bytes_freed: int
    """Total size of the deleted values [bytes]."""


class Store:
    """A folder of values, shared safely by any number of processes on one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("stages", "values", "locks", "work"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> StoredValue | None:
        """Return the value stored under a key; None where there is none or its bytes are damaged."""
        record = self._record(key)
        if record is None:
            return None
        digest, files = record
        folder = self.root / "values" / digest
        if not _is_intact(folder, files):
            self._drop(key, digest)
            return None
        return StoredValue(digest=digest, folder=folder, reused=True)

    def get_or_create(self, key: str, fill: Callable[[Path], None]) -> StoredValue:
        """Return the value stored under a key; where there is none, `fill` writes its files into an empty folder.

        Of several processes that request the same key, one runs `fill` and the others wait. An exception of `fill`
        propagates and leaves nothing in the store.
        """
        with self.block_sweeps(), _file_lock(self.root / "locks" / key, fcntl.LOCK_EX):
            existing = self.get(key)
            if existing is not None:
                return existing
            with self.scratch_folder() as folder:
                fill(folder)
                digest, files = self._publish(folder)
            self._commit(key, digest, files)
        return StoredValue(digest=digest, folder=self.root / "values" / digest, reused=False)

    @contextmanager
    def block_sweeps(self) -> Iterator[None]:
        """Block every sweep inside the context, so that values can be read safely."""
        with _file_lock(self.root / "locks" / "sweep", fcntl.LOCK_SH):
            yield

    @contextmanager
    def scratch_folder(self) -> Iterator[Path]:
        """Yield an empty folder on the store's disk; it is removed on exit if it still exists."""
        folder = Path(tempfile.mkdtemp(dir=self.root / "work"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def gc(self, *, keep_bytes: int = 0) -> SweepResult | None:
        """Delete the least recently used records until the values fit in `keep_bytes`, then all unreferenced values.

        Does nothing and returns None while another process holds `block_sweeps`.
        """
        try:
            with _file_lock(self.root / "locks" / "sweep", fcntl.LOCK_EX | fcntl.LOCK_NB):
                return self._sweep(keep_bytes)
        except BlockingIOError:
            return None

    def size_bytes(self) -> int:
        """Return the total size of all values [bytes]."""
        return sum(_folder_bytes(folder) for folder in (self.root / "values").iterdir())

    def _record(self, key: str) -> tuple[str, dict[str, list[int | str]]] | None:
        path = self.root / "stages" / f"{key}.json"
        record = _read_record(path)
        if record is None:
            path.unlink(missing_ok=True)
        else:
            os.utime(path)
        return record

    def _publish(self, folder: Path) -> tuple[str, dict[str, list[int | str]]]:
        files = manifest(folder)
        digest = _manifest_digest(files)
        for path in (folder, *folder.rglob("*")):
            sync(path)
        target = self.root / "values" / digest
        with _file_lock(self.root / "locks" / digest, fcntl.LOCK_EX):
            if target.exists() and not _is_intact(target, files):
                shutil.rmtree(target)
            if not target.exists():
                folder.rename(target)
                sync(target.parent)
        return digest, files

    def _commit(self, key: str, digest: str, files: Mapping[str, list[int | str]]) -> None:
        target = self.root / "stages" / f"{key}.json"
        write_atomic(target, canonical_json({"digest": digest, "files": files}))

    def _drop(self, key: str, digest: str) -> None:
        (self.root / "stages" / f"{key}.json").unlink(missing_ok=True)
        with _file_lock(self.root / "locks" / digest, fcntl.LOCK_EX):
            shutil.rmtree(self.root / "values" / digest, ignore_errors=True)

    def _sweep(self, keep_bytes: int) -> SweepResult:
        records = sorted((self.root / "stages").glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        kept_sizes: dict[str, int] = {}
        dropped = 0
        for path in records:
            record = _read_record(path)
            size = 0 if record is None else sum(int(file[0]) for file in record[1].values())
            if record is None or sum(kept_sizes.values()) + size * (record[0] not in kept_sizes) > keep_bytes:
                path.unlink()
                dropped += 1
            else:
                kept_sizes[record[0]] = size
        values, freed = self._delete_all_but(kept_sizes)
        for folder in (self.root / "work").iterdir():
            shutil.rmtree(folder, ignore_errors=True)
        for lock in (self.root / "locks").iterdir():
            if lock.name != "sweep":
                lock.unlink()
        remove_abandoned(self.root / "stages")
        return SweepResult(records=dropped, values=values, bytes_freed=freed)

    def _delete_all_but(self, kept_digests: Mapping[str, int]) -> tuple[int, int]:
        values = freed = 0
        for folder in (self.root / "values").iterdir():
            if folder.name not in kept_digests:
                freed += _folder_bytes(folder)
                values += 1
                shutil.rmtree(folder)
        return values, freed


def json_digest(value: object) -> str:
    """Return the SHA-256 of a JSON-serialisable value; the order of keys does not matter."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def manifest(folder: Path) -> dict[str, list[int | str]]:
    """Return size [bytes] and SHA-256 of every file below a folder, keyed by relative path, sorted."""
    paths = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix())
    return {path.relative_to(folder).as_posix(): [path.stat().st_size, file_digest(path)] for path in paths}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_record(path: Path) -> tuple[str, dict[str, list[int | str]]] | None:
    """Return digest and files of a commit record; None where it is absent, damaged or inconsistent."""
    try:
        record = json.loads(path.read_bytes())
        digest, files = record["digest"], dict(record["files"])
        is_consistent = _DIGEST.fullmatch(digest) is not None and _manifest_digest(files) == digest
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (digest, files) if is_consistent else None


def _manifest_digest(files: Mapping[str, list[int | str]]) -> str:
    return json_digest(dict(files))


def _is_intact(folder: Path, files: Mapping[str, list[int | str]]) -> bool:
    return folder.is_dir() and manifest(folder) == dict(files)


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _file_lock(path: Path, mode: int) -> Iterator[None]:
    """Hold an advisory file lock inside the context; the system releases it when the process dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, mode)
        yield
    finally:
        os.close(handle)
