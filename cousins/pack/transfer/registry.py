"""Stores of packs: where blobs, manifests and tags lie, whatever holds them.

blobs/ab/cd…          bytes, named by their SHA-256
packs/<digest>.json   the manifest of a pack
tags/NAME/TAG         the digest that a tag stands for; the only thing that ever changes
tags.json             all tags in one file, for stores that cannot list: derived, never trusted
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cousins.codec import canonical_json
from cousins.errors import PackError, StoreError
from cousins.pack.blobs import DIGEST_PATTERN, Blob, blob_of, require_digest
from cousins.pack.manifests import NAME_PATTERN, require_name
from cousins.plugins import load_backend

BACKENDS: Final = "cousins.pack.stores"
SCHEMES: Final = {"http": "http", "https": "http", "s3": "s3", "hf": "hub"}
"""Back-end by the scheme of an address; an address without one is a folder."""
TAGS: Final = "tags.json"
"""Key of the list of tags."""
_MAX_TAG_BYTES: Final = 200
_SCHEME_PATTERN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://")
_KEY_PART: Final = re.compile(r"[A-Za-z0-9._-]{1,80}")


@dataclass(frozen=True, kw_only=True)
class StoreEntry:
    """An object in a store."""

    key: str
    """Key of the object."""
    size: int
    """Length [bytes]."""
    age_s: float
    """Time since it was written [s]; 0 where the store reports no time."""


class PackStore(Protocol):
    """Bytes by key; its bytes are checked by the caller, since every key but a tag is or holds a hash."""

    address: str
    """As the user typed it."""

    def size(self, key: str) -> int | None:
        """Return the length of what lies there, None for nothing; raises `StoreError` where the store is silent."""

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """Give the bytes from `start` on, in parts; raises `StoreError`."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put bytes by key, each whole or not at all; raises `StoreError`, also for a store that is only read."""

    def entries(self, prefix: str) -> list[StoreEntry]:
        """Return what lies below a prefix, sorted; raises `StoreError` where the store cannot list."""

    def delete(self, key: str) -> None:
        """Remove what lies there."""


@dataclass(frozen=True, kw_only=True)
class PackReference:
    """A reference to a pack: `NAME:TAG` or `sha256:HEX`, and `@STORE` behind it."""

    name: str = ""
    """Name, empty for a digest."""
    tag: str = ""
    """Tag, empty for a digest."""
    digest: str = ""
    """Digest, empty for a tag."""
    store: str = ""
    """Address of the store, empty where not given."""

    def __str__(self) -> str:
        return f"sha256:{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def open_store(address: str) -> PackStore:
    """Return the store at an address: a folder, `http(s)://`, `s3://` or `hf://`."""
    match = _SCHEME_PATTERN.match(address)
    name = "folder" if match is None else SCHEMES.get(match.group(1), match.group(1))
    module = load_backend(BACKENDS, name, kind="store")
    store: PackStore = module.build(module.Config(address=address))
    return store


def parse_reference(text: str) -> PackReference:
    """Read `NAME:TAG`, `NAME` (its tag is `latest`) or `sha256:HEX`, maybe with `@STORE`; raises `PackError`."""
    front, _, store = text.partition("@")
    name, _, tag = front.partition(":")
    if name == "sha256":
        return PackReference(digest=require_digest(tag), store=store)
    return PackReference(
        name=require_name(name, kind="pack"), tag=require_name(tag or "latest", kind="tag"), store=store
    )


def manifest_key(digest: str) -> str:
    """Return the place of a manifest."""
    return f"packs/{require_digest(digest)}.json"


def tag_key(reference: PackReference) -> str:
    """Return the place of a tag."""
    return f"tags/{require_name(reference.name, kind='pack')}/{require_name(reference.tag, kind='tag')}"


def require_key(key: str) -> tuple[str, ...]:
    """Return the parts of a key; an assertion, for keys are made here and never read from anywhere."""
    parts = tuple(key.split("/"))
    assert all(_KEY_PART.fullmatch(part) and set(part) != {"."} for part in parts), key
    return parts


def resolve(store: PackStore, reference: PackReference) -> str:
    """Return the digest that a reference stands for in a store; raises `PackError` where it has no such tag."""
    if reference.digest:
        return reference.digest
    key = tag_key(reference)
    if store.size(key) is None:
        raise PackError(
            f"no pack {reference} at {store.address}",
            expected="a tag that was pushed there",
            hint=f"`cousins pack ls {store.address}` lists them.",
        )
    return read_tag(fetch(store, key, max_bytes=_MAX_TAG_BYTES), reference)


def read_tag(data: bytes, reference: PackReference) -> str:
    """Return the digest that a tag holds; raises `PackError` where it holds anything else."""
    text = data.decode("ascii", errors="replace").strip()
    if not DIGEST_PATTERN.fullmatch(text):
        raise PackError(
            f"the tag {reference} that says {text[:80]!r}",
            expected="a SHA-256 of 64 hexadecimal digits",
            hint="Push the pack again.",
        )
    return text


def fetch(store: PackStore, key: str, *, max_bytes: int) -> bytes:
    """Return small things whole; raises `StoreError` where they are larger than `max_bytes` [bytes]."""
    parts, length = [], 0
    for part in store.stream(key):
        length += len(part)
        if length > max_bytes:
            raise StoreError(
                f"over {max_bytes} bytes at {key} of {store.address}", expected="less", hint="Is this a store of packs?"
            )
        parts.append(part)
    return b"".join(parts)


class StoreBlobs:
    """Reads blobs from a store, without a cache."""

    def __init__(self, store: PackStore) -> None:
        self.store = store

    def read(self, blob: Blob) -> bytes:
        """Return the bytes, their hash checked; raises `PackError` where they are missing or wrong."""
        data = fetch(self.store, blob.key, max_bytes=blob.size)
        if blob_of(data) != blob:
            raise PackError(
                f"other bytes in blob {blob.digest[:12]} of {self.store.address}",
                expected="bytes of that SHA-256",
                hint="Push the pack that has it again.",
            )
        return data


def set_tag(store: PackStore, reference: PackReference, digest: str) -> None:
    """Set a tag to a digest, and update the list of tags."""
    store.write({tag_key(reference): require_digest(digest).encode() + b"\n"})
    store.write({TAGS: canonical_json(tags(store))})


def tags(store: PackStore) -> dict[str, str]:
    """Return digests by `NAME:TAG`; what is no tag is passed over."""
    digests: dict[str, str] = {}
    for entry in store.entries("tags/"):
        parts = entry.key.split("/")
        if len(parts) == 3 and all(NAME_PATTERN.fullmatch(part) for part in parts[1:]) and entry.size <= _MAX_TAG_BYTES:
            reference = PackReference(name=parts[1], tag=parts[2])
            digests[str(reference)] = resolve(store, reference)
    return dict(sorted(digests.items()))
