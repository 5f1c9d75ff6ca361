"""Content-addressed blobs: everything in a pack refers to other parts by SHA-256 only.

A name is 64 hexadecimal digits and nothing else, so no manifest can name a path, a link or an address. Every read
hashes what it read.
"""

from __future__ import annotations

import bz2
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

from cousins.codec import canonical_json
from cousins.errors import PackError
from cousins.publishing import write_atomic
from cousins.scene.io.strict_json import Node, parse

DIGEST_PATTERN: Final = re.compile(r"[0-9a-f]{64}")
"""Pattern of a digest."""
MAX_BLOB_BYTES: Final = 512 << 20
"""Largest blob that is read."""
MAX_DECOMPRESSED_BYTES: Final = 64 << 20
"""Largest content that one expands to; numbers take eight times that in memory."""
_MAGIC: Final = b"cousins bz2 1\n"
_LIST_ENTRY_BYTES: Final = 40


@dataclass(frozen=True, kw_only=True, order=True)
class Blob:
    """A reference to bytes."""

    digest: str
    """SHA-256, 64 hexadecimal digits."""
    size: int
    """Length in bytes."""

    @property
    def key(self) -> str:
        """Key in a store, and path in a pack folder."""
        return blob_key(self.digest)

    @property
    def record(self) -> list[Any]:
        """The reference as JSON's own types."""
        return [self.digest, self.size]


class BlobReader(Protocol):
    """Source of blobs: a folder, or a cache in front of a store."""

    def read(self, blob: Blob) -> bytes:
        """Return the bytes, their hash checked; raises `PackError` where they are missing or wrong."""


class BlobFolder:
    """Blobs as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, blob: Blob) -> bytes:
        """Return the bytes, their hash checked; raises `PackError` where they are missing or wrong."""
        data = read_regular(self.root / blob.key, max_bytes=blob.size)
        if data is None:
            raise PackError(
                f"no blob {blob.digest[:12]}",
                expected="every blob that is asked for",
                hint="Pull the pack again, with the cousins that you want.",
            )
        if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.digest:
            raise PackError(
                f"other bytes in blob {blob.digest[:12]}",
                expected="bytes of that SHA-256",
                hint="`cousins pack verify PACK` lists what is damaged; pull the pack again.",
            )
        return data

    def write(self, data: bytes) -> Blob:
        """Write bytes and return their reference; an existing blob is not written again."""
        blob = blob_of(data)
        target = self.root / blob.key
        if not target.is_file() or target.stat().st_size != blob.size:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"{target.name}.{os.getpid()}.new")
            temporary.write_bytes(data)
            temporary.replace(target)
        return blob


def blob_of(data: bytes) -> Blob:
    """Return the reference of bytes."""
    return Blob(digest=hashlib.sha256(data).hexdigest(), size=len(data))


def blob_key(digest: str) -> str:
    """Return the place of a blob; raises `PackError` for anything but 64 hexadecimal digits."""
    require_digest(digest)
    return f"blobs/{digest[:2]}/{digest[2:]}"


def require_digest(text: str) -> str:
    """Return a digest; raises `PackError` for anything but 64 hexadecimal digits."""
    if not DIGEST_PATTERN.fullmatch(text):
        raise PackError(
            f"the name {text[:80]!r}",
            expected="a SHA-256 of 64 hexadecimal digits; packs name nothing by path or address",
            hint="Do not use this pack: nothing that writes packs makes such a name.",
        )
    return text


def read_blob(node: Node) -> Blob:
    """Return the reference of a JSON value; raises `PackError` where it is invalid."""
    items = node.items()
    if len(items) != 2:
        raise node.error("a digest and a size")
    return Blob(digest=require_digest(items[0].text()), size=items[1].integer(low=0, high=MAX_BLOB_BYTES))


def read_regular(path: Path, *, max_bytes: int) -> bytes | None:
    """Return a file's bytes, at most one more than `max_bytes`; None where no regular file is. Follows no link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        parts, left = [], max_bytes + 1
        while left > 0 and (part := os.read(handle, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def compress(raw: bytes) -> bytes:
    """Return bytes compressed by bzip2, whose output has been the same everywhere since 2010, unlike zlib's.

    Raises `PackError` for more than would be read.
    """
    if len(raw) > MAX_DECOMPRESSED_BYTES:
        raise PackError(
            f"{len(raw) / 1e6:.0f} MB in one piece",
            expected=f"at most {MAX_DECOMPRESSED_BYTES / 1e6:.0f} MB",
            hint="Make the meshes of that asset lighter.",
        )
    return _MAGIC + len(raw).to_bytes(8, "little") + bz2.compress(raw, 9)


def decompress(data: bytes) -> bytes:
    """Return what `compress` was given, never more than the declared length; raises `PackError` on invalid bytes."""
    start = len(_MAGIC) + 8
    length = int.from_bytes(data[len(_MAGIC) : start], "little")
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start or length > MAX_DECOMPRESSED_BYTES:
        raise _invalid("a blob of another kind")
    reader = bz2.BZ2Decompressor()
    try:
        raw = reader.decompress(data[start:], max_length=length + 1)
        while not reader.eof and len(raw) <= length and not reader.needs_input:
            raw += reader.decompress(b"", max_length=length + 1 - len(raw))
    except (OSError, ValueError, EOFError) as error:
        raise _invalid("a blob that does not expand") from error
    if len(raw) != length or not reader.eof or reader.unused_data:
        raise _invalid("a blob of another length than it tells")
    return raw


def write_public_file(path: Path, data: bytes) -> None:
    """Write a file of a pack folder in one step, for everybody to read."""
    write_atomic(path, data)
    path.chmod(0o644)


def write_via(scratch: Path, path: Path, data: bytes) -> None:
    """Write a file in one step by way of a folder that is removed later, so that a kill leaves nothing beside it."""
    scratch.mkdir(parents=True, exist_ok=True)
    fresh = scratch / f"{path.name}.{os.getpid()}"
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def record_bytes(record: object) -> bytes:
    """Return a record of JSON's own types as compressed canonical JSON."""
    return compress(canonical_json(record))


def parse_record(data: bytes, *, source: str) -> Node:
    """Parse what `record_bytes` wrote."""
    return parse(decompress(data), source=source)


def blob_list_bytes(blobs: Sequence[Blob]) -> bytes:
    """Return references as 40 bytes each: the digest, and the size, little-endian."""
    return b"".join(bytes.fromhex(blob.digest) + blob.size.to_bytes(8, "little") for blob in blobs)


def read_blob_list(data: bytes) -> list[Blob]:
    """Return the references of a list in rising order; raises `PackError` where it is invalid."""
    if len(data) % _LIST_ENTRY_BYTES:
        raise _invalid("a list of blobs that is cut short")
    blobs = [
        Blob(
            digest=data[place : place + 32].hex(),
            size=int.from_bytes(data[place + 32 : place + _LIST_ENTRY_BYTES], "little"),
        )
        for place in range(0, len(data), _LIST_ENTRY_BYTES)
    ]
    if any(after.digest <= before.digest for before, after in pairwise(blobs)) or any(
        blob.size > MAX_BLOB_BYTES for blob in blobs
    ):
        raise _invalid("a list of blobs that is out of order")
    return blobs


def _invalid(problem: str) -> PackError:
    return PackError(problem, expected="a blob that this version of cousins writes", hint="Pull the pack again.")
