"""`pack.json`: the manifest of a pack, a small file whose SHA-256 is the digest of the pack.

It is canonical JSON, so that one pack has one digest. Everything larger is a blob that it names by hash: the scene
that all cousins share, pages of cousins by split, the library, and the list of all blobs.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from cousins.codec import canonical_json, plain
from cousins.errors import PackError
from cousins.pack.blobs import Blob, read_blob
from cousins.pack.records.cousin_records import MAX_COUSINS
from cousins.pack.records.numbers import as_pack_errors, rounded
from cousins.scene.io.strict_json import MAX_BYTES, Node, parse
from cousins.vary.cousins import SPLITS, Split

FORMAT: Final = "cousins pack"
"""Value of `format` in `pack.json`."""
FORMAT_VERSION: Final = 1
"""Version of the format; another one is refused."""
PAGE_COUSINS: Final = 64
"""Cousins in a page."""
NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of packs and tags."""
MAX_PAGE_SPAN: Final = 4096
"""Widest range of numbers that one page reaches over."""
_BITS: Final = re.compile(rf"[1-9a-f][0-9a-f]{{0,{MAX_PAGE_SPAN // 4 - 1}}}")

Rejections = Mapping[str, Mapping[str, int]]
"""How many candidates were rejected, by reason and then by axis."""


@dataclass(frozen=True, kw_only=True)
class PackMeta:
    """Metadata from the maker of a pack; the digest covers all of it."""

    name: str
    """Short name: lower-case letters, digits, `.`, `_`, `-`."""
    seed: int
    """Root of all randomness."""
    recipe: Mapping[str, Any]
    """The recipe as JSON's own types, by axis where it can be split so."""
    generator: str
    """Program and version, such as `cousins 0.1.0`."""
    coverage: Mapping[str, float] = field(default_factory=dict)
    """How much of the reachable range the cousins cover, by axis."""
    gates: Mapping[str, Any] = field(default_factory=dict)
    """Measured values of the physics gates."""
    fallbacks: tuple[str, ...] = ()
    """What had to be replaced by something weaker, a sentence each."""
    warnings: tuple[str, ...] = ()
    """What a user should know, a sentence each."""
    lineage: Mapping[str, str] = field(default_factory=dict)
    """Digests of what it was made from, by stage or input: `capture`, `twin`, `recipe`, ..."""
    assets: Mapping[str, str] = field(default_factory=dict)
    """Licence by origin of what its library's variants do not say themselves, such as materials."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some cousins of one split."""

    first: int
    """Lowest number."""
    bits: int
    """Which numbers from the first on are in it, the first as the lowest bit."""
    blob: Blob
    """Blob that holds them."""

    def __contains__(self, number: int) -> bool:
        return number >= self.first and bool(self.bits >> (number - self.first) & 1)

    def __len__(self) -> int:
        return self.bits.bit_count()

    @property
    def last(self) -> int:
        """Highest number."""
        return self.first + self.bits.bit_length() - 1

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of its cousins, rising."""
        return tuple(self.first + place for place in range(self.bits.bit_length()) if self.bits >> place & 1)


def page_of(numbers: Sequence[int], blob: Blob) -> Page:
    """Return the page of some cousins, whose numbers rise."""
    return Page(first=numbers[0], bits=sum(1 << (number - numbers[0]) for number in numbers), blob=blob)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Contents of `pack.json`."""

    meta: PackMeta
    """Metadata from its maker."""
    pages: Mapping[Split, tuple[Page, ...]]
    """Pages by split, in order of their numbers."""
    rejections: Rejections
    """Rejected candidates by reason and axis."""
    licences: Mapping[str, int]
    """How many variants have each licence."""
    scene: Blob
    """Record of what all cousins share."""
    library: Blob
    """List of all variants' records by key."""
    blobs: Blob
    """List of all blobs."""
    blob_count: int
    """How many there are."""
    blob_bytes: int
    """Their size together [bytes]."""

    @property
    def splits(self) -> dict[str, int]:
        """Cousins by split."""
        return {split: sum(len(page) for page in self.pages.get(split, ())) for split in SPLITS}

    @property
    def cousins(self) -> int:
        """Cousins in all, the twin among them."""
        return sum(self.splits.values())


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return `pack.json`."""
    meta = manifest.meta
    require_name(meta.name, kind="pack")
    return canonical_json(
        {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "name": meta.name,
            "seed": meta.seed,
            "recipe": _numbers(plain(meta.recipe)),
            "generator": meta.generator,
            "coverage": _numbers(plain(meta.coverage)),
            "gates": _numbers(plain(meta.gates)),
            "fallbacks": list(meta.fallbacks),
            "warnings": list(meta.warnings),
            "lineage": dict(meta.lineage),
            "assets": dict(meta.assets),
            "splits": {
                split: {"count": manifest.splits[split], "pages": [_page(page) for page in manifest.pages[split]]}
                for split in SPLITS
                if manifest.pages.get(split)
            },
            "rejections": {reason: dict(axes) for reason, axes in manifest.rejections.items()},
            "licences": dict(manifest.licences),
            "scene": manifest.scene.record,
            "library": manifest.library.record,
            "blobs": {
                "list": manifest.blobs.record,
                "count": manifest.blob_count,
                "bytes": manifest.blob_bytes,
            },
        }
    )


def read_manifest(data: bytes, *, digest: str | None = None) -> Manifest:
    """Return the manifest of `pack.json`.

    Raises `PackError` where it is invalid, of another version or of another digest.
    """
    actual_digest = manifest_digest(data)
    if digest is not None and actual_digest != digest:
        raise PackError(
            f"a manifest of SHA-256 {actual_digest[:12]}",
            expected=f"{digest[:12]}",
            hint="The store holds other bytes than it tells: pull from elsewhere.",
        )
    if len(data) > MAX_BYTES:
        raise PackError(f"a pack.json of {len(data)} bytes", expected=f"at most {MAX_BYTES}", hint="Is it a pack?")
    with as_pack_errors():
        node = parse(data, source="pack.json")
        if not isinstance(node.value, dict) or node.value.get("format") != FORMAT:
            raise node.error(f"a pack, whose format is {FORMAT!r}")
        _require_version(node)
        if canonical_json(node.value) != data:
            raise node.error("canonical JSON: sorted keys, no spaces, each key once")
        return _read(node)


def manifest_digest(data: bytes) -> str:
    """Return the digest of a pack: the SHA-256 of its `pack.json`."""
    return hashlib.sha256(data).hexdigest()


def require_name(text: str, *, kind: str) -> str:
    """Return a name of a pack or a tag; raises `PackError` where it is none."""
    if not NAME_PATTERN.fullmatch(text):
        raise PackError(
            f"the {kind} name {text[:80]!r}",
            expected="lower-case letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit",
            hint="Choose another name.",
        )
    return text


def _page(page: Page) -> dict[str, Any]:
    return {"first": page.first, "bits": f"{page.bits:x}", "blob": page.blob.record}


def _numbers(value: Any) -> Any:
    """Return JSON's own types with every fraction rounded; what is not finite becomes null."""
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _numbers(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_numbers(item) for item in value]
    return value


def _require_version(node: Node) -> None:
    if node["version"].value != FORMAT_VERSION:
        raise PackError(
            f"a pack of schema version {json.dumps(node['version'].value)[:20]}",
            expected=f"version {FORMAT_VERSION}",
            hint="Type `pip install -U cousins`, or make it again: `cousins vary SCENE -o PACK`.",
        )


def _read(node: Node) -> Manifest:
    splits = node["splits"]
    if not isinstance(splits.value, dict) or not set(splits.value) <= set(SPLITS):
        raise splits.error("splits among " + ", ".join(SPLITS))
    pages: dict[Split, tuple[Page, ...]] = {
        split: _read_pages(splits[split]) for split in SPLITS if split in splits.value
    }
    return Manifest(
        meta=_read_meta(node),
        pages=pages,
        rejections={reason: _counts(node["rejections"][reason]) for reason in _keys(node["rejections"])},
        licences=_counts(node["licences"]),
        scene=read_blob(node["scene"]),
        library=read_blob(node["library"]),
        blobs=read_blob(node["blobs"]["list"]),
        blob_count=node["blobs"]["count"].integer(low=0, high=2**40),
        blob_bytes=node["blobs"]["bytes"].integer(low=0, high=2**60),
    )


def _read_meta(node: Node) -> PackMeta:
    return PackMeta(
        name=require_name(node["name"].text(), kind="pack"),
        seed=node["seed"].integer(low=0, high=2**128),
        recipe={key: node["recipe"][key].value for key in _keys(node["recipe"])},
        generator=node["generator"].text(),
        coverage={key: node["coverage"][key].number() for key in _keys(node["coverage"])},
        gates={key: node["gates"][key].value for key in _keys(node["gates"])},
        fallbacks=node["fallbacks"].texts(),
        warnings=node["warnings"].texts(),
        lineage={key: node["lineage"][key].text() for key in _keys(node["lineage"])},
        assets={key: node["assets"][key].text() for key in _keys(node["assets"])},
    )


def _read_pages(node: Node) -> tuple[Page, ...]:
    pages = tuple(_read_page(item) for item in node["pages"].items())
    if not pages or any(after.first <= before.last for before, after in pairwise(pages)):
        raise node["pages"].error("pages in the order of their numbers")
    if node["count"].value != sum(len(page) for page in pages):
        raise node["count"].error("the sum over the pages")
    return pages


def _read_page(node: Node) -> Page:
    text = node["bits"].text()
    if not _BITS.fullmatch(text):
        raise node["bits"].error("a hexadecimal number")
    page = Page(first=node["first"].integer(low=0, high=MAX_COUSINS), bits=int(text, 16), blob=read_blob(node["blob"]))
    if len(page) > PAGE_COUSINS or not page.bits & 1:
        raise node["bits"].error(f"at most {PAGE_COUSINS} bits, the lowest among them")
    return page


def _keys(node: Node) -> list[str]:
    if not isinstance(node.value, dict):
        raise node.error("an object")
    return list(node.value)


def _counts(node: Node) -> dict[str, int]:
    return {key: node[key].integer(low=0, high=2**53) for key in _keys(node)}
