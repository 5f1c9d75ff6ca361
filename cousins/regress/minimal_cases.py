"""Minimal cases: the smallest cousin that still shows a failure, in one file that loads without the pack."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cousins.codec import canonical_json
from cousins.errors import InputError, PackError
from cousins.pack.blobs import Blob, blob_of
from cousins.pack.packs import Pack
from cousins.pack.records.asset_records import read_scene_record, read_variant
from cousins.pack.records.cousin_records import cousin_record, read_cousin, read_variant_list, variants_of
from cousins.pack.records.images import TextureCache
from cousins.pack.records.numbers import as_pack_errors
from cousins.pack.transfer.selection import mesh_blobs_needed
from cousins.publishing import write_atomic
from cousins.scene.io.strict_json import Node
from cousins.store import json_digest
from cousins.vary.cousins import Cousin, Library

FORMAT: Final = "cousins regress minimal case 1"
"""Value of `format`."""
MINIMAL_SUFFIX: Final = "minimal.json"
"""Ending of the file's name."""


@dataclass(frozen=True, kw_only=True)
class MinimalRun:
    """How a minimal case is repeated."""

    task: str
    """Name of the task."""
    engine: str
    """Name of the engine in which it fails."""
    engine_version: str
    """Version of that engine."""
    policy: Mapping[str, Any]
    """Fields of the policy's description; its path is relative to the file."""
    policy_digest: str
    """Digest of the policy that fails."""
    seed: int
    """Root of the starts' randomness."""
    starts: tuple[int, ...]
    """Numbers of the starts."""
    needed_failures: int
    """Failed starts from which it counts as failing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MinimalCase:
    """A cousin that shows a failure, with all that it needs."""

    cousin: Cousin
    """The cousin."""
    record: Mapping[str, Any]
    """The same as JSON values."""
    library: Library
    """Its assets and surroundings."""
    run: MinimalRun
    """How it is repeated."""
    cause: Mapping[str, Any]
    """Axis, object and amount that it still differs from the twin in."""


def write_minimal(
    path: Path, cousin: Cousin, pack: Pack, *, shown_by: tuple[int, ...], run: MinimalRun, cause: Mapping[str, Any]
) -> int:
    """Write a minimal case whose variants the cousins `shown_by` of a pack show; return its size [bytes]."""
    listed: dict[str, Blob] = {}
    for number in shown_by:
        listed |= pack.page_contents(pack.pages_of([number])[0]).variants
    variants = {key: listed[key] for key in sorted(variants_of(cousin))}
    blobs = {*variants.values(), pack.manifest.scene, *mesh_blobs_needed(pack, list(variants.values()))}
    content = {
        "format": FORMAT,
        "pack": {"name": pack.manifest.meta.name, "digest": pack.digest},
        "run": {**vars(run), "policy": dict(run.policy), "starts": list(run.starts)},
        "cause": dict(cause),
        "cousin": cousin_record(cousin),
        "variants": {key: blob.record for key, blob in variants.items()},
        "scene": pack.manifest.scene.record,
        "blobs": {blob.digest: base64.b64encode(pack.blobs.read(blob)).decode() for blob in sorted(blobs)},
    }
    data = canonical_json({**content, "sha256": json_digest(content)})
    write_atomic(path, data)
    return len(data)


def read_minimal(path: Path | str) -> MinimalCase:
    """Return a minimal case; raises `InputError` where the file is none."""
    source = os.fspath(path)
    try:
        content = json.loads(Path(path).read_bytes())
        digest = content.pop("sha256")
        blobs = _EmbeddedBlobs({key: base64.b64decode(text, validate=True) for key, text in content["blobs"].items()})
        is_valid = content["format"] == FORMAT and digest == json_digest(content)
    except OSError as error:
        raise _damaged(source, str(error.strerror)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise _damaged(source, f"{type(error).__name__}: {error}") from error
    if not is_valid:
        raise _damaged(source, "content of another SHA-256 or format")
    with as_pack_errors():
        images = TextureCache()
        variants = read_variant_list(Node(value=content["variants"], path=source))
        scene = Blob(digest=content["scene"][0], size=content["scene"][1])
        library = Library(
            scene=read_scene_record(scene, blobs, images=images),
            variants={key: read_variant(blob, blobs, images=images) for key, blob in variants.items()},
        )
        cousin = read_cousin(Node(value=content["cousin"], path=f"{source}: cousin"))
    run = content["run"]
    return MinimalCase(
        cousin=cousin,
        record=content["cousin"],
        library=library,
        run=MinimalRun(**{**run, "starts": tuple(run["starts"])}),
        cause=content["cause"],
    )


class _EmbeddedBlobs:
    """Blobs of a file, each checked by its hash."""

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        self._blobs = blobs

    def read(self, blob: Blob) -> bytes:
        data = self._blobs.get(blob.digest)
        if data is None or blob_of(data) != blob:
            raise PackError(
                f"no whole blob {blob.digest[:12]} in a minimal case",
                expected="all blobs that its cousin needs",
                hint="Make it again: `cousins regress bisect SUITE`.",
            )
        return data


def _damaged(source: str, reason: str) -> InputError:
    return InputError(
        f"{source!r}, which is no minimal case: {reason}"[:300],
        expected=f"a {MINIMAL_SUFFIX} that `cousins regress bisect` wrote",
        hint="Make it again: `cousins regress bisect SUITE`.",
    )
