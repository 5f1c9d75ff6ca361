"""Pull a pack from a store into a folder, whole or some cousins of it; and open one where it lies.

Blobs go through the cache, each checked while it comes; `pack.json` is written last, so a pull that was interrupted
leaves no pack, and the same pull goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cousins.codec import canonical_json
from cousins.disk_errors import disk_errors, require_room
from cousins.errors import PackError
from cousins.pack.blobs import Blob, write_via
from cousins.pack.packs import CHECKSUM, MANIFEST, SELECTION, Pack, checksum, open_folder, selection_of
from cousins.pack.transfer.cache import BytesCallback, Cache
from cousins.pack.transfer.registry import PackReference, open_store, parse_reference
from cousins.pack.transfer.selection import (
    Selection,
    all_blobs,
    mesh_blobs_needed,
    pages_needed,
    records_needed,
    select_cousins,
)
from cousins.publishing import claimed_folder

SCRATCH_FOLDER: Final = ".pulling"
"""Folder of files that are not yet in their place."""
_AGAIN: Final = "Then type the same again: what came so far is kept. COUSINS_PACKS names another cache."
FETCH_THREADS: Final = 4
"""Blobs that are fetched at the same time."""


@dataclass(frozen=True, kw_only=True)
class PullResult:
    """Result of a pull."""

    digest: str
    """Digest of the pack."""
    cousins: int
    """Cousins in the folder."""
    files: int
    """Blobs that they need."""
    bytes: int
    """Size of these."""
    moved: int
    """Bytes that came from the store."""
    fallbacks: tuple[str, ...]
    """What was taken from the cache because the store did not answer, a sentence each."""


def cache_folder() -> Path:
    """Return where pulled blobs lie: COUSINS_PACKS, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_PACKS") or cache / "cousins-packs")


def pull(
    reference: PackReference,
    folder: Path,
    *,
    selection: Selection | None = None,
    cache: Path | None = None,
    on_bytes: BytesCallback | None = None,
) -> PullResult:
    """Pull a pack into a new folder, or into one that holds other cousins of the same pack.

    A reference without a store is looked for on this machine alone. Raises `PackError`.
    """
    store = open_store(reference.store) if reference.store else None
    source = Cache(cache or cache_folder(), store, on_bytes=on_bytes)
    with disk_errors(folder, hint=_AGAIN):
        require_room(folder)
        require_room(source.root)
        with claimed_folder(folder):
            return _pull(reference, folder, selection or Selection(), source)


def _pull(reference: PackReference, folder: Path, selection: Selection, source: Cache) -> PullResult:
    digest = source.resolve(reference)
    data = source.manifest(digest)
    present = _present_cousins(folder, digest)
    pack = Pack(data, source, digest=digest)
    numbers = _merged_selection(select_cousins(pack, selection), present)
    scratch = folder / SCRATCH_FOLDER
    scratch.mkdir(exist_ok=True)
    blobs = _link_all(pack, numbers, source, folder)
    if numbers is None:
        (folder / SELECTION).unlink(missing_ok=True)
    else:
        write_via(scratch, folder / SELECTION, canonical_json({"digest": digest, "indices": numbers}))
    write_via(scratch, folder / CHECKSUM, checksum(digest))
    write_via(scratch, folder / MANIFEST, data)
    shutil.rmtree(scratch)
    return PullResult(
        digest=digest,
        cousins=len(pack) if numbers is None else len(numbers),
        files=len(blobs),
        bytes=sum(blob.size for blob in blobs),
        moved=source.moved,
        fallbacks=tuple(source.fallbacks),
    )


def open_pack(path_or_reference: Path | str, *, cache: Path | None = None) -> Pack:
    """Open a pack folder, or a reference such as `demo:v1@https://…`, whose blobs are fetched when they are needed."""
    text = os.fspath(path_or_reference)
    if isinstance(path_or_reference, Path) or Path(text).is_dir() or text.startswith((".", "/")):
        return open_folder(Path(text))
    reference = parse_reference(text)
    source = Cache(cache or cache_folder(), open_store(reference.store) if reference.store else None)
    digest = source.resolve(reference)
    return Pack(source.manifest(digest), source, digest=digest)


def _present_cousins(folder: Path, digest: str) -> list[int] | None:
    """Return the cousins that the folder holds already, none for a new one, None for all."""
    if not (folder / MANIFEST).exists():
        pack_names = {"blobs", SELECTION, CHECKSUM, SCRATCH_FOLDER}
        if (
            folder.is_symlink()
            or (folder.exists() and not folder.is_dir())
            or (folder.is_dir() and not {path.name for path in folder.iterdir()} <= pack_names)
        ):
            raise PackError(
                f"something that is no pack at {os.fspath(folder)!r}",
                expected="a new or empty folder, or the same pack",
                hint="Choose another folder with -o.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        return []
    present_pack = open_folder(folder)
    if present_pack.digest != digest:
        raise PackError(
            f"another pack, {present_pack.digest[:12]}, at {os.fspath(folder)!r}",
            expected=f"a new folder, or cousins of {digest[:12]}",
            hint="Packs are never changed: choose another folder with -o.",
        )
    return selection_of(folder)


def _merged_selection(selected: list[int] | None, present: list[int] | None) -> list[int] | None:
    return None if selected is None or present is None else sorted({*selected, *present})


def _link_all(pack: Pack, numbers: Sequence[int] | None, source: Cache, folder: Path) -> list[Blob]:
    """Link all needed blobs into the folder; the blobs of each step name those of the next."""
    if numbers is None:
        blobs = all_blobs(pack)
        _link_blobs(blobs, source, folder)
        return blobs
    pages = pages_needed(pack, numbers)
    _link_blobs(pages, source, folder)
    records = records_needed(pack, numbers)
    _link_blobs(records, source, folder)
    shapes = mesh_blobs_needed(pack, records)
    _link_blobs(shapes, source, folder)
    return sorted({*pages, *records, *shapes})


def _link_blobs(blobs: Sequence[Blob], source: Cache, folder: Path) -> None:
    pool = ThreadPoolExecutor(FETCH_THREADS)
    try:
        for work in [pool.submit(source.link_into, blob, folder, folder / SCRATCH_FOLDER) for blob in blobs]:
            work.result()
    finally:
        pool.shutdown(cancel_futures=True)
