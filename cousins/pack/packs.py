"""Read packs: cousins by number, each with only the blobs that it needs."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cousins.affordances import Signature
from cousins.errors import PackError
from cousins.pack.blobs import Blob, BlobFolder, BlobReader, parse_record, read_regular
from cousins.pack.manifests import Manifest, Page, manifest_digest, read_manifest
from cousins.pack.records.asset_records import licence_of, read_scene_record, read_variant
from cousins.pack.records.cousin_records import read_cousin, read_page, read_variant_list, variants_of
from cousins.pack.records.images import TextureCache
from cousins.pack.records.numbers import as_pack_errors
from cousins.scene.io.strict_json import MAX_BYTES, Node
from cousins.scene.robot_formats.mjcf_writer import mjcf_in_memory
from cousins.scene.scenes import Scene
from cousins.vary.cousins import SPLITS, Cousin, Library, Split, Variant, build_scene

MANIFEST: Final = "pack.json"
"""File in a pack folder whose SHA-256 is the pack's digest."""
CHECKSUM: Final = "pack.sha256"
"""File beside it that holds the digest, so that damage to the manifest is detected too."""
SELECTION: Final = "selection.json"
"""File beside it that lists the cousins that were pulled, where not all were."""
_CACHED_PAGES: Final = 32
_CACHED_VARIANTS: Final = 256


@dataclass(frozen=True, kw_only=True)
class PageContents:
    """Contents of a page."""

    cousins: Mapping[int, Node]
    """Records by number."""
    variants: Mapping[str, Blob]
    """References to variants' records by key."""


class Pack:
    """A pack whose blobs are read on demand, each checked by its hash."""

    def __init__(self, manifest: bytes, blobs: BlobReader, *, digest: str | None = None) -> None:
        self.manifest: Manifest = read_manifest(manifest, digest=digest)
        self.digest: str = manifest_digest(manifest)
        self.blobs = blobs
        self._page = lru_cache(maxsize=_CACHED_PAGES)(self._read_page)
        self._variant = lru_cache(maxsize=_CACHED_VARIANTS)(self._read_variant)
        self._surroundings: Scene | None = None
        self._textures = TextureCache()

    def __len__(self) -> int:
        return self.manifest.cousins

    def indices(self, split: Split | None = None) -> list[int]:
        """Return the numbers of a split's cousins, or of all, in order."""
        pages = [page for name in SPLITS if split in (None, name) for page in self.manifest.pages.get(name, ())]
        return sorted(number for page in pages for number in page.numbers)

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters; raises `PackError` where the pack has none of that number."""
        with as_pack_errors():
            return read_cousin(self._page_contents(index).cousins[index])

    def scene(self, index: int, *, looks: bool = True) -> Scene:
        """Return the scene of a cousin; only the variants that it shows are read. Physics needs no `looks`."""
        cousin = self.cousin(index)
        with as_pack_errors():
            return build_scene(cousin, Library(scene=self.surroundings, variants=self._variants(cousin)), looks=looks)

    def signatures(self, index: int) -> dict[str, Signature]:
        """Return what each object of a cousin affords, by its name, as it was measured when the pack was made."""
        cousin = self.cousin(index)
        variants = self._variants(cousin)
        return {instance.name: variants[instance.variant].signature for instance in cousin.objects}

    def variants(self, index: int) -> dict[str, Variant]:
        """Return the variants that a cousin shows, by key."""
        return self._variants(self.cousin(index))

    def mjcf(self, index: int, *, visuals: bool = True) -> tuple[str, dict[str, bytes]]:
        """Return a cousin as MJCF text and the files that it names, as `MjModel.from_xml_string` takes them.

        MuJoCo's files in memory have no folders, so `__` stands where a scene folder has `/`.
        """
        return mjcf_in_memory(self.scene(index), visuals=visuals, png=self._textures.png)

    @property
    def surroundings(self) -> Scene:
        """What all cousins share: the scene without its objects."""
        if self._surroundings is None:
            self._surroundings = read_scene_record(self.manifest.scene, self.blobs, images=self._textures)
        return self._surroundings

    @property
    def library(self) -> Library:
        """The twin and all variants that some cousin shows, read now; needs the whole pack."""
        variants = {key: self._variant(record) for key, record in self.variant_records().items()}
        return Library(scene=self.scene(0), variants=variants)

    def variant_records(self) -> dict[str, Blob]:
        """Return references to the records of all variants by key."""
        with as_pack_errors():
            return read_variant_list(parse_record(self.blobs.read(self.manifest.library), source="library"))

    def licences(self) -> dict[str, tuple[str, str]]:
        """Return licence and origin of every variant, by key."""
        return {key: licence_of(record, self.blobs) for key, record in self.variant_records().items()}

    def pages_of(self, indices: list[int]) -> list[Page]:
        """Return the pages that hold these cousins, each once."""
        return sorted({self._page_of(index) for index in indices}, key=lambda page: page.first)

    def page_contents(self, page: Page) -> PageContents:
        """Return the contents of a page."""
        return self._page(page)

    def info(self) -> dict[str, Any]:
        """Return the contents of the manifest as JSON values."""
        manifest = self.manifest
        meta = manifest.meta
        return {
            "digest": self.digest,
            "name": meta.name,
            "generator": meta.generator,
            "seed": meta.seed,
            "cousins": manifest.cousins,
            "splits": manifest.splits,
            "bytes": manifest.blob_bytes + manifest.blobs.size,
            "files": manifest.blob_count + 2,
            "coverage": dict(meta.coverage),
            "rejections": {reason: dict(axes) for reason, axes in manifest.rejections.items()},
            "gates": dict(meta.gates),
            "licences": dict(manifest.licences),
            "lineage": dict(meta.lineage),
            "fallbacks": list(meta.fallbacks),
            "warnings": list(meta.warnings),
        }

    def _variants(self, cousin: Cousin) -> dict[str, Variant]:
        listed = self._page_contents(cousin.index).variants
        variants = {}
        for key in sorted(variants_of(cousin)):
            if key not in listed:
                raise _missing(f"variant {key[:80]!r} in the page of cousin {cousin.index}")
            variants[key] = self._variant(listed[key])
        return variants

    def _page_contents(self, index: int) -> PageContents:
        return self._page(self._page_of(index))

    def _page_of(self, index: int) -> Page:
        for pages in self.manifest.pages.values():
            place = bisect_right(pages, index, key=lambda page: page.first) - 1
            if place >= 0 and index in pages[place]:
                return pages[place]
        raise _missing(f"cousin {index}")

    def _read_page(self, page: Page) -> PageContents:
        cousins, variants = read_page(self.blobs.read(page.blob))
        if tuple(sorted(cousins)) != page.numbers:
            raise _missing("cousins that the page was to hold")
        return PageContents(cousins=cousins, variants=variants)

    def _read_variant(self, record: Blob) -> Variant:
        return read_variant(record, self.blobs, images=self._textures)


def open_folder(folder: Path) -> Pack:
    """Open an untrusted pack folder; raises `PackError` where it is invalid."""
    data = read_regular(folder / MANIFEST, max_bytes=MAX_BYTES)
    if data is None:
        raise PackError(
            f"no {MANIFEST} in {os.fspath(folder)!r}",
            expected="a pack folder, as `cousins vary` or `cousins pack pull` writes it",
            hint="A run that was interrupted goes on when its command is typed again.",
        )
    pack = Pack(data, BlobFolder(folder))
    written_checksum = read_regular(folder / CHECKSUM, max_bytes=1000)
    if written_checksum is not None and written_checksum != checksum(pack.digest):
        raise PackError(
            f"a {MANIFEST} of SHA-256 {pack.digest[:12]}, which {CHECKSUM} does not tell",
            expected="the two as they were written",
            hint="One of them is damaged: pull the pack again.",
        )
    return pack


def checksum(digest: str) -> bytes:
    """Return what lies beside a manifest, as `sha256sum --check` reads it."""
    return f"{digest}  {MANIFEST}\n".encode()


def selection_of(folder: Path) -> list[int] | None:
    """Return the cousins that were pulled into a folder; None where all were."""
    data = read_regular(folder / SELECTION, max_bytes=MAX_BYTES)
    if data is None:
        return None
    try:
        indices = json.loads(data)["indices"]
        is_valid = isinstance(indices, list) and all(type(index) is int for index in indices)
    except (ValueError, KeyError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        raise PackError(
            f"a {SELECTION} that does not tell which cousins were pulled",
            expected="a list of their numbers",
            hint="Pull the pack again.",
        )
    return list(indices)


def _missing(what_is_missing: str) -> PackError:
    return PackError(
        f"no {what_is_missing}",
        expected="a number that the pack has, and pages that hold what the manifest tells",
        hint="`cousins pack info PACK` tells how many cousins there are.",
    )
