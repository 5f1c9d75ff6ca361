"""Write a pack: blocks of cousins in any order and from any process, then the whole in one step.

While it is being written the folder holds `.writing/`, with one file a block, each whole or absent. `close` puts them
together in order, writes blobs, and `pack.json` last; a folder without `pack.json` is no pack yet.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.codec import canonical_json
from cousins.errors import PackError
from cousins.geometry import Array
from cousins.pack.blobs import Blob, BlobFolder, blob_list_bytes, record_bytes, write_via
from cousins.pack.manifests import (
    MAX_PAGE_SPAN,
    PAGE_COUSINS,
    Manifest,
    PackMeta,
    Page,
    Rejections,
    manifest_bytes,
    manifest_digest,
    page_of,
    read_manifest,
)
from cousins.pack.packs import CHECKSUM, MANIFEST, checksum
from cousins.pack.records.asset_records import write_scene_record, write_variant
from cousins.pack.records.cousin_records import cousin_record, page_bytes, read_cousin
from cousins.pack.twins import twin_cousin
from cousins.publishing import write_atomic
from cousins.scene.io.obj import png_bytes
from cousins.scene.io.strict_json import Node, parse
from cousins.vary.cousins import SPLITS, Cousin, Library, Split

WRITING: Final = ".writing"
"""Folder of blocks while the pack is being written."""
_BLOCK: Final = "cousins block 1"
_SEAL_BYTES: Final = 65


class PackWriter:
    """A pack that is being written; any number of processes may hold one for the same folder and key."""

    def __init__(self, folder: Path, *, key: str) -> None:
        """Begin a pack, or go on with it; `key` names all that the cousins follow from, such as a digest.

        Blocks that were written under another key are dropped. Raises `PackError` where the folder holds other things.
        """
        require_free(folder)
        self.folder = folder
        self._blocks = folder / WRITING / _key_name(key)
        for other in (folder / WRITING).glob("*"):
            if other.name != self._blocks.name:
                shutil.rmtree(other)
        self._blocks.mkdir(parents=True, exist_ok=True)

    def has_block(self, block: int) -> bool:
        """Return whether a block was written completely."""
        return self._read(block) is not None

    def add_block(self, block: int, cousins: Sequence[Cousin], rejections: Rejections) -> None:
        """Keep a block: its cousins in the order of their numbers, and what was rejected on the way to them.

        Raises `SceneError` for a cousin that could not be read back.
        """
        records = [cousin_record(cousin) for cousin in cousins]
        for record in records:
            read_cousin(Node(value=record, path=f"cousin {record['index']}"))
        counts = {reason: dict(axes) for reason, axes in rejections.items()}
        data = canonical_json({"format": _BLOCK, "cousins": records, "rejections": counts})
        write_atomic(self._path(block), _seal(data) + data)

    def close(self, library: Library, meta: PackMeta) -> str:
        """Write the pack and return its digest.

        Cousins must be numbered from 1 without holes over the blocks in their order; the twin is number 0 and is made
        from the library where no block has it. Raises `PackError` where some are missing or show what is unknown.
        """
        sink = _BlobWriter(self.folder)
        rejections: dict[str, dict[str, int]] = {}
        pages = _PageWriter(library, sink)
        expected = 0
        for node in self._nodes():
            _add_counts(rejections, node["rejections"].value)
            for item in node["cousins"].items():
                if expected == 0 and item.value["index"] == 1:
                    pages.add(cousin_record(twin_cousin(library)))
                    expected = 1
                if item.value["index"] != expected:
                    raise _numbering_error(item.value["index"], expected)
                pages.add(item.value)
                expected += 1
        if expected == 0:
            pages.add(cousin_record(twin_cousin(library)))
        data = self._manifest(library, meta, rejections, pages, sink)
        sink.sweep()
        digest = manifest_digest(data)
        write_via(self._blocks, self.folder / CHECKSUM, checksum(digest))
        write_via(self._blocks, self.folder / MANIFEST, data)
        shutil.rmtree(self.folder / WRITING)
        return digest

    def _manifest(
        self, library: Library, meta: PackMeta, rejections: Rejections, pages: _PageWriter, sink: _BlobWriter
    ) -> bytes:
        by_split = pages.finish()
        scene = write_scene_record(library.scene, sink)
        listed = sink(record_bytes({key: blob.record for key, blob in pages.variants.items()}))
        blobs = sorted(sink.blobs)
        listing = sink(blob_list_bytes(blobs))
        licences: dict[str, int] = {}
        for key in pages.variants:
            licence = library.variants[key].licence
            licences[licence] = licences.get(licence, 0) + 1
        manifest = Manifest(
            meta=meta,
            pages=by_split,
            rejections=rejections,
            licences=licences,
            scene=scene,
            library=listed,
            blobs=listing,
            blob_count=len(blobs),
            blob_bytes=sum(blob.size for blob in blobs),
        )
        data = manifest_bytes(manifest)
        read_manifest(data)
        return data

    def _nodes(self) -> Iterator[Node]:
        numbers = sorted(int(path.stem) for path in self._blocks.glob("[0-9]*.block"))
        for number in numbers:
            node = self._read(number)
            if node is None:
                raise PackError(
                    f"a damaged block {number}",
                    expected="a whole block",
                    hint="Run the same command again: the block is made anew.",
                )
            yield node

    def _read(self, block: int) -> Node | None:
        """Return a block, None where it is absent; a damaged one is removed."""
        path = self._path(block)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if not data.startswith(_seal(data[_SEAL_BYTES:])):
            path.unlink()
            return None
        return parse(data[_SEAL_BYTES:], source=path.name)

    def _path(self, block: int) -> Path:
        return self._blocks / f"{block:08d}.block"


def write_pack(
    folder: Path, library: Library, cousins: Iterable[Cousin], *, meta: PackMeta, rejections: Rejections | None = None
) -> str:
    """Write a pack of cousins in the order of their numbers, and return its digest."""
    writer = PackWriter(folder, key="whole")
    block: list[Cousin] = []
    count = 0
    for cousin in cousins:
        block.append(cousin)
        if len(block) == PAGE_COUSINS:
            writer.add_block(count, block, {})
            block, count = [], count + 1
    writer.add_block(count, block, rejections or {})
    return writer.close(library, meta)


def require_free(folder: Path) -> None:
    """Raise `PackError` unless a pack can be written to a folder: a new one, an empty one, or one that was begun."""
    if (folder / MANIFEST).exists():
        raise PackError(
            f"a finished pack at {os.fspath(folder)!r}",
            expected="a new or empty folder, or a pack that is being written",
            hint="Packs are never changed: choose another folder.",
        )
    own_names = {WRITING, "blobs", CHECKSUM}
    if folder.is_symlink() or (
        folder.exists() and (not folder.is_dir() or {x.name for x in folder.iterdir()} - own_names)
    ):
        raise PackError(
            f"something that is no pack at {os.fspath(folder)!r}",
            expected="a new or empty folder",
            hint="Choose another folder.",
        )


class _BlobWriter:
    """Writes blobs and records which ones the pack references."""

    def __init__(self, folder: Path) -> None:
        self._folder = BlobFolder(folder)
        self._images: dict[bytes, Blob] = {}
        self.blobs: set[Blob] = set()

    def __call__(self, data: bytes) -> Blob:
        blob = self._folder.write(data)
        self.blobs.add(blob)
        return blob

    def image(self, texture: Array) -> Blob:
        """Keep an image as PNG; compressing it is the slow part and is done once."""
        key = hashlib.sha256(repr(texture.shape).encode() + np.ascontiguousarray(texture).tobytes()).digest()
        if key not in self._images:
            self._images[key] = self(png_bytes(texture))
        return self._images[key]

    def sweep(self) -> None:
        """Remove blobs of an older attempt, and hand the others to the disk."""
        keys = {blob.key for blob in self.blobs}
        root = self._folder.root
        for path in (root / "blobs").rglob("*"):
            if path.is_file() and path.relative_to(root).as_posix() not in keys:
                path.unlink()
        os.sync()


class _PageWriter:
    """Collects cousins by split and keeps each page as soon as it is full."""

    def __init__(self, library: Library, sink: _BlobWriter) -> None:
        self._library = library
        self._put = sink
        self._waiting: dict[Split, list[dict[str, Any]]] = {split: [] for split in SPLITS}
        self._pages: dict[Split, list[Page]] = {split: [] for split in SPLITS}
        self.variants: dict[str, Blob] = {}

    def add(self, cousin: dict[str, Any]) -> None:
        """Add a cousin's record."""
        split, index = cousin["split"], cousin["index"]
        if (split == "twin") != (index == 0):
            raise PackError(
                f"cousin {index} in the split {split!r}",
                expected="the twin as number 0, and no other",
                hint="Number the cousins from 1.",
            )
        waiting = self._waiting[split]
        if waiting and index - waiting[0]["index"] >= MAX_PAGE_SPAN:
            self._keep(split)
        self._waiting[split].append(cousin)
        if len(self._waiting[split]) == PAGE_COUSINS or index == 0:
            self._keep(split)

    def finish(self) -> dict[Split, tuple[Page, ...]]:
        for split in SPLITS:
            if self._waiting[split]:
                self._keep(split)
        return {split: tuple(pages) for split, pages in self._pages.items() if pages}

    def _keep(self, split: Split) -> None:
        records = self._waiting[split]
        keys = {instance["variant"] for record in records for instance in record["stands"]}
        blob = self._put(page_bytes(records, {key: self._record(key) for key in sorted(keys)}))
        self._pages[split].append(page_of([record["index"] for record in records], blob))
        self._waiting[split] = []

    def _record(self, key: str) -> Blob:
        if key not in self.variants:
            variant = self._library.variants.get(key)
            if variant is None or variant.key != key:
                raise PackError(
                    f"a cousin that shows {key[:80]!r}",
                    expected="a variant of the library, under its own key",
                    hint="Write the pack with the library that the cousins were drawn from.",
                )
            self.variants[key] = write_variant(variant, self._put)
        return self.variants[key]


def _seal(data: bytes) -> bytes:
    """Return the line that stands before a block: its SHA-256."""
    return hashlib.sha256(data).hexdigest().encode() + b"\n"


def _key_name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _add_counts(total: dict[str, dict[str, int]], counted: Mapping[str, Mapping[str, int]]) -> None:
    for reason, axes in counted.items():
        counts = total.setdefault(reason, {})
        for axis, count in axes.items():
            counts[axis] = counts.get(axis, 0) + count


def _numbering_error(index: int, expected: int) -> PackError:
    return PackError(
        f"cousin {index} where {expected} belongs",
        expected="numbers without holes over the blocks in their order",
        hint="Add the block that is missing, then close the pack.",
    )
