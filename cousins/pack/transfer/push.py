"""Push a pack into a store: blobs, then the manifest, then the tag, so that a tag never stands for half a pack.

And sweep a store of what no tag stands for any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cousins.errors import PackError, StoreError
from cousins.pack.blobs import DIGEST_PATTERN, Blob, read_blob_list
from cousins.pack.manifests import read_manifest
from cousins.pack.packs import MANIFEST, open_folder, selection_of
from cousins.pack.records.asset_records import blobs_of
from cousins.pack.records.cousin_records import read_page
from cousins.pack.transfer.registry import (
    PackReference,
    PackStore,
    StoreBlobs,
    StoreEntry,
    fetch,
    manifest_key,
    set_tag,
    tags,
)
from cousins.pack.transfer.selection import all_blobs
from cousins.scene.io.strict_json import MAX_BYTES

BATCH_BYTES: Final = 32 << 20
"""Bytes that are written together."""
BATCH_FILES: Final = 200
"""Files that are written together."""


@dataclass(frozen=True, kw_only=True)
class PushResult:
    """Result of a push."""

    digest: str
    """Digest of the pack."""
    files: int
    """Blobs that were sent; the others were there."""
    bytes: int
    """Size of these."""


@dataclass(frozen=True, kw_only=True)
class StoreSweepResult:
    """Result of a sweep: what was removed from a store, or would be."""

    manifests: int
    """Manifests that no tag stands for."""
    files: int
    """Blobs that no manifest names."""
    bytes: int
    """Size of these."""
    kept: int
    """Blobs that were kept."""


def push(
    folder: Path, store: PackStore, reference: PackReference, *, on_bytes: Callable[[int], None] | None = None
) -> PushResult:
    """Push a whole pack and let a tag stand for it; raises `PackError`, and then the tag stands where it stood.

    Every blob is hashed before it is sent; what the store has at the same length is not sent again.
    """
    pack = open_folder(folder)
    if selection_of(folder) is not None:
        raise PackError(
            f"some cousins of a pack at {str(folder)!r}",
            expected="a whole pack",
            hint="Pull all of it first: without --split, --count and --cousin.",
        )
    if reference.digest:
        raise PackError("a digest as the tag", expected="NAME:TAG", hint="Type --tag demo:v1.")
    blobs = all_blobs(pack)
    missing = [blob for blob in blobs if store.size(blob.key) != blob.size]
    for batch in _batches(missing):
        store.write({blob.key: pack.blobs.read(blob) for blob in batch})
        if on_bytes is not None:
            on_bytes(sum(blob.size for blob in batch))
    key, data = manifest_key(pack.digest), (folder / MANIFEST).read_bytes()
    store.write({key: data})
    if store.size(key) != len(data):
        raise StoreError(
            f"no manifest at {store.address} after it was written",
            expected="a store that keeps what it is given",
            hint="Look at its rights and its lifetime rules; no tag was set.",
        )
    set_tag(store, reference, pack.digest)
    return PushResult(digest=pack.digest, files=len(missing), bytes=sum(blob.size for blob in missing))


def sweep(store: PackStore, *, older_than_s: float, dry: bool = False, parts: bool = False) -> StoreSweepResult:
    """Remove manifests that no tag stands for, and blobs that no manifest names.

    `parts` is for the cache, which may hold only some cousins of a pack, and the beginnings of blobs.

    What is younger than `older_than_s` stays: somebody may be pushing. Raises `StoreError` where the store is only
    read, and `PackError` where a manifest that a tag stands for is broken: then nothing is removed.
    """
    tagged = set(tags(store).values())
    objects = store.entries("packs/")
    manifests = [entry for entry in objects if DIGEST_PATTERN.fullmatch(_digest(entry))]
    untagged = [entry for entry in manifests if _digest(entry) not in tagged and entry.age_s >= older_than_s]
    live: set[str] = set()
    for entry in manifests:
        if entry not in untagged:
            live |= {blob.key for blob in _referenced_blobs(store, _digest(entry), parts=parts)}
    blobs = [entry for entry in objects if entry not in manifests]
    blobs += store.entries("blobs/") + (store.entries("parts/") if parts else [])
    unreferenced = [entry for entry in blobs if entry.key not in live and entry.age_s >= older_than_s]
    if not dry:
        for entry in [*untagged, *unreferenced]:
            store.delete(entry.key)
    return StoreSweepResult(
        manifests=len(untagged),
        files=len(unreferenced),
        bytes=sum(entry.size for entry in unreferenced),
        kept=len(blobs) - len(unreferenced),
    )


def _referenced_blobs(store: PackStore, digest: str, *, parts: bool) -> set[Blob]:
    """Return the blobs of a pack, by its list; by its pages and records where only parts of it are there."""
    manifest = read_manifest(fetch(store, manifest_key(digest), max_bytes=MAX_BYTES), digest=digest)
    reader = StoreBlobs(store)
    if not parts or store.size(manifest.blobs.key) is not None:
        return {*read_blob_list(reader.read(manifest.blobs)), manifest.blobs}
    pages = [page.blob for pages in manifest.pages.values() for page in pages]
    present_pages = [page for page in pages if store.size(page.key) is not None]
    records = set().union(*(read_page(reader.read(page))[1].values() for page in present_pages))
    records = {blob for blob in {*records, manifest.scene} if store.size(blob.key) is not None}
    return {*present_pages, *records, *set().union(*(blobs_of(record, reader) for record in records))}


def _digest(entry: StoreEntry) -> str:
    return entry.key.removeprefix("packs/").removesuffix(".json")


def _batches(blobs: list[Blob]) -> list[list[Blob]]:
    batches: list[list[Blob]] = []
    size = BATCH_BYTES
    for blob in blobs:
        if size + blob.size > BATCH_BYTES or len(batches[-1]) == BATCH_FILES:
            batches.append([])
            size = 0
        batches[-1].append(blob)
        size += blob.size
    return batches
