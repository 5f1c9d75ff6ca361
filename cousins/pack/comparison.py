"""Differences between two packs: which stage, which input, which axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cousins.codec import plain
from cousins.pack.blobs import Blob, parse_record
from cousins.pack.packs import Pack
from cousins.pack.records.asset_records import read_mesh_references
from cousins.pack.records.numbers import as_pack_errors
from cousins.scene.io.strict_json import Node
from cousins.vary.cousins import Cousin, ObjectInstance

MAX_LISTED_CHANGES: Final = 200
"""Changes that are listed one by one."""
_MISSING: Final = "(none)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference."""

    where: str
    """`input twin`, `recipe axes.layout`, `variant mug-shape-03: meshes`, `gates mujoco.max_drift_mm`, ..."""
    first: Any
    """Value in the first pack."""
    second: Any
    """Value in the second pack."""


@dataclass(frozen=True, kw_only=True)
class PackDifference:
    """All differences between two packs."""

    same: bool
    """True for one digest."""
    changes: tuple[Change, ...]
    """Differences of the manifests and the library; at most `MAX_LISTED_CHANGES`."""
    more: int
    """Changes beyond those."""
    cousins: Mapping[str, int]
    """How many of the cousins that both have differ, by axis; `same` for those that do not."""
    only_first: int
    """Cousins that only the first has."""
    only_second: int
    """Cousins that only the second has."""


def compare_packs(
    first: Pack, second: Pack, *, numbers: tuple[Sequence[int], Sequence[int]] | None = None
) -> PackDifference:
    """Compare two packs; `numbers` are the cousins present in each, all by default."""
    first_numbers, second_numbers = (first.indices(), second.indices()) if numbers is None else numbers
    common = sorted(set(first_numbers) & set(second_numbers))
    same = first.digest == second.digest
    changes = [] if same else [*_manifest_changes(first, second), *_library_changes(first, second)]
    return PackDifference(
        same=same,
        changes=tuple(changes[:MAX_LISTED_CHANGES]),
        more=max(0, len(changes) - MAX_LISTED_CHANGES),
        cousins={"same": len(common)} if same else _changed_cousins(first, second, common),
        only_first=len(set(first_numbers) - set(second_numbers)),
        only_second=len(set(second_numbers) - set(first_numbers)),
    )


def axes_of(first: Cousin, second: Cousin, kinds: Mapping[str, str]) -> set[str]:
    """Return the axes on which two cousins of one number differ; `kinds` holds the kind of each variant."""
    first_objects, second_objects = (
        {instance.name: instance for instance in cousin.objects} for cousin in (first, second)
    )
    axes = {"clutter"} if set(first_objects) != set(second_objects) else set()
    for name in set(first_objects) & set(second_objects):
        axes |= _axes_of_instances(first_objects[name], second_objects[name], kinds)
    if [(change.friction, change.restitution) for change in first.structures] != [
        (change.friction, change.restitution) for change in second.structures
    ]:
        axes.add("dynamics")
    if first.look != second.look or [change.material for change in first.structures] != [
        change.material for change in second.structures
    ]:
        axes.add("look")
    if first.relations != second.relations:
        axes.add("layout")
    if first.task != second.task:
        axes.add("task")
    if first.split != second.split:
        axes.add("split")
    return axes


def _axes_of_instances(first: ObjectInstance, second: ObjectInstance, kinds: Mapping[str, str]) -> set[str]:
    axes = set()
    if first.variant != second.variant:
        bent = {kinds.get(first.variant), kinds.get(second.variant)} <= {"twin", "shape"}
        axes.add("shape" if bent else "swap")
    if (first.position_m, first.quat_wxyz, first.fixed) != (second.position_m, second.quat_wxyz, second.fixed):
        axes.add("layout")
    if first.joints != second.joints:
        axes.add("joints")
    if first.material != second.material:
        axes.add("look")
    numbers = ("mass_kg", "com_shift_m", "friction", "restitution")
    if any(getattr(first, key) != getattr(second, key) for key in numbers):
        axes.add("dynamics")
    return axes


def _manifest_changes(first: Pack, second: Pack) -> list[Change]:
    """Return the changes between the manifests, inputs and stages before numbers."""
    changes = []
    first_manifest, second_manifest = first.manifest, second.manifest
    parts = (
        ("input", first_manifest.meta.lineage, second_manifest.meta.lineage),
        ("generator", first_manifest.meta.generator, second_manifest.meta.generator),
        ("seed", first_manifest.meta.seed, second_manifest.meta.seed),
        ("recipe", first_manifest.meta.recipe, second_manifest.meta.recipe),
        ("name", first_manifest.meta.name, second_manifest.meta.name),
        ("surroundings", first_manifest.scene.digest, second_manifest.scene.digest),
        ("splits", first_manifest.splits, second_manifest.splits),
        ("coverage", first_manifest.meta.coverage, second_manifest.meta.coverage),
        ("gates", first_manifest.meta.gates, second_manifest.meta.gates),
        ("rejections", first_manifest.rejections, second_manifest.rejections),
        ("licences", first_manifest.licences, second_manifest.licences),
        ("fallbacks", first_manifest.meta.fallbacks, second_manifest.meta.fallbacks),
        ("warnings", first_manifest.meta.warnings, second_manifest.meta.warnings),
    )
    for section, a, b in parts:
        flat_a, flat_b = _flattened(section, plain(a)), _flattened(section, plain(b))
        for key in sorted({*flat_a, *flat_b}):
            if flat_a.get(key, _MISSING) != flat_b.get(key, _MISSING):
                changes.append(Change(where=key, first=flat_a.get(key, _MISSING), second=flat_b.get(key, _MISSING)))
    return changes


def _flattened(prefix: str, value: Any, *, inner: bool = False) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {} if value in ({}, []) else {prefix: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        leaves |= _flattened(f"{prefix}.{key}" if inner else f"{prefix} {key}", item, inner=True)
    return leaves


def _library_changes(first: Pack, second: Pack) -> list[Change]:
    """Return which variants were added, left out or changed, and what about them."""
    first_records, second_records = first.variant_records(), second.variant_records()
    changes = []
    for key in sorted({*first_records, *second_records}):
        if key not in second_records:
            changes.append(Change(where=f"variant {key}", first="there", second=_MISSING))
        elif key not in first_records:
            changes.append(Change(where=f"variant {key}", first=_MISSING, second="there"))
        elif first_records[key] != second_records[key]:
            changes += _variant_changes(key, _record(first, first_records[key]), _record(second, second_records[key]))
    return changes


def _record(pack: Pack, blob: Blob) -> dict[str, Any]:
    with as_pack_errors():
        node: Node = parse_record(pack.blobs.read(blob), source="variant")
        read_mesh_references(node)
    return dict(node.value)


def _variant_changes(key: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Change]:
    """Return what differs about a variant: words and numbers as they are, all larger parts in one line."""
    parts = [part for part in sorted({*first, *second}) if first.get(part) != second.get(part)]
    large = [part for part in parts if isinstance(first.get(part), dict | list)]
    changes = [
        Change(where=f"variant {key}: {part}", first=first.get(part), second=second.get(part))
        for part in parts
        if part not in large
    ]
    if large:
        changes.append(Change(where=f"variant {key}: {', '.join(large)}", first="as it is", second="changed"))
    return changes


def _changed_cousins(first: Pack, second: Pack, numbers: Sequence[int]) -> dict[str, int]:
    kinds: dict[str, str] = {}
    for pack in (second, first):
        kinds |= {key: str(_record(pack, blob).get("kind")) for key, blob in pack.variant_records().items()}
    counts: dict[str, int] = {"same": 0}
    for number in numbers:
        first_cousin, second_cousin = first.cousin(number), second.cousin(number)
        axes = axes_of(first_cousin, second_cousin, kinds)
        if not axes and first_cousin != replace(second_cousin, spawn_key=first_cousin.spawn_key):
            axes = {"distances"}
        for axis in axes or {"same"}:
            counts[axis] = counts.get(axis, 0) + 1
    return counts
