"""What is different between two packs: which stage, which input, which axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cousins.codec import plain
from cousins.pack.blobs import Blob, parse_record
from cousins.pack.packs import Pack
from cousins.pack.records.asset_records import read_shapes
from cousins.pack.records.numbers import of_a_pack
from cousins.scene.io.strict_json import Node
from cousins.vary.cousins import Cousin, Stand

MOST: Final = 200
"""Changes that are listed one by one."""
_MISSING: Final = "(none)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs."""

    where: str
    """`input twin`, `recipe axes.layout`, `variant mug-shape-03: meshes`, `gates mujoco.max_drift_mm`, ..."""
    first: Any
    """What the first pack says."""
    second: Any
    """What the second one says."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """All that differs between two packs."""

    same: bool
    """True for one digest."""
    changes: tuple[Change, ...]
    """What is told differently; at most `MOST`."""
    more: int
    """Changes beyond those."""
    cousins: Mapping[str, int]
    """How many of the cousins that both have differ, by axis; `same` for those that do not."""
    only_first: int
    """Cousins that only the first has."""
    only_second: int
    """Cousins that only the second has."""


def compare(first: Pack, second: Pack, *, numbers: tuple[Sequence[int], Sequence[int]] | None = None) -> Difference:
    """Compare two packs; `numbers` are the cousins that are at hand in each, all where not given."""
    mine, theirs = (first.indices(), second.indices()) if numbers is None else numbers
    both = sorted(set(mine) & set(theirs))
    same = first.digest == second.digest
    changes = [] if same else [*_told(first, second), *_variants(first, second)]
    return Difference(
        same=same,
        changes=tuple(changes[:MOST]),
        more=max(0, len(changes) - MOST),
        cousins={"same": len(both)} if same else _counted(first, second, both),
        only_first=len(set(mine) - set(theirs)),
        only_second=len(set(theirs) - set(mine)),
    )


def axes_of(first: Cousin, second: Cousin, kinds: Mapping[str, str]) -> set[str]:
    """Return the axes on which two cousins of one number differ; `kinds` tells what its variants are."""
    mine, theirs = ({stand.name: stand for stand in one.stands} for one in (first, second))
    axes = {"clutter"} if set(mine) != set(theirs) else set()
    for name in set(mine) & set(theirs):
        axes |= _axes_of_stands(mine[name], theirs[name], kinds)
    if [(one.friction, one.restitution) for one in first.grounds] != [
        (one.friction, one.restitution) for one in second.grounds
    ]:
        axes.add("dynamics")
    if first.look != second.look or [one.material for one in first.grounds] != [one.material for one in second.grounds]:
        axes.add("look")
    if first.relations != second.relations:
        axes.add("layout")
    if first.task != second.task:
        axes.add("task")
    if first.split != second.split:
        axes.add("split")
    return axes


def _axes_of_stands(first: Stand, second: Stand, kinds: Mapping[str, str]) -> set[str]:
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


def _told(first: Pack, second: Pack) -> list[Change]:
    """Return what the manifests tell differently, inputs and stages before numbers."""
    changes = []
    mine, theirs = first.manifest, second.manifest
    parts = (
        ("input", mine.meta.lineage, theirs.meta.lineage),
        ("generator", mine.meta.generator, theirs.meta.generator),
        ("seed", mine.meta.seed, theirs.meta.seed),
        ("recipe", mine.meta.recipe, theirs.meta.recipe),
        ("name", mine.meta.name, theirs.meta.name),
        ("surroundings", mine.scene.digest, theirs.scene.digest),
        ("splits", mine.splits, theirs.splits),
        ("coverage", mine.meta.coverage, theirs.meta.coverage),
        ("gates", mine.meta.gates, theirs.meta.gates),
        ("rejections", mine.rejections, theirs.rejections),
        ("licences", mine.licences, theirs.licences),
        ("fallbacks", mine.meta.fallbacks, theirs.meta.fallbacks),
        ("warnings", mine.meta.warnings, theirs.meta.warnings),
    )
    for where, a, b in parts:
        flat_a, flat_b = _flat(where, plain(a)), _flat(where, plain(b))
        for key in sorted({*flat_a, *flat_b}):
            if flat_a.get(key, _MISSING) != flat_b.get(key, _MISSING):
                changes.append(Change(where=key, first=flat_a.get(key, _MISSING), second=flat_b.get(key, _MISSING)))
    return changes


def _flat(where: str, value: Any, *, inner: bool = False) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {} if value in ({}, []) else {where: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= _flat(f"{where}.{key}" if inner else f"{where} {key}", item, inner=True)
    return found


def _variants(first: Pack, second: Pack) -> list[Change]:
    """Return which variants were added, left out or changed, and what about them."""
    mine, theirs = first.variant_records(), second.variant_records()
    changes = []
    for key in sorted({*mine, *theirs}):
        if key not in theirs:
            changes.append(Change(where=f"variant {key}", first="there", second=_MISSING))
        elif key not in mine:
            changes.append(Change(where=f"variant {key}", first=_MISSING, second="there"))
        elif mine[key] != theirs[key]:
            changes += _changed(key, _record(first, mine[key]), _record(second, theirs[key]))
    return changes


def _record(pack: Pack, blob: Blob) -> dict[str, Any]:
    with of_a_pack():
        node: Node = parse_record(pack.blobs.read(blob), where="variant")
        read_shapes(node)
    return dict(node.value)


def _changed(key: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Change]:
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


def _counted(first: Pack, second: Pack, both: Sequence[int]) -> dict[str, int]:
    kinds: dict[str, str] = {}
    for pack in (second, first):
        kinds |= {key: str(_record(pack, blob).get("kind")) for key, blob in pack.variant_records().items()}
    counts: dict[str, int] = {"same": 0}
    for number in both:
        mine, theirs = first.cousin(number), second.cousin(number)
        axes = axes_of(mine, theirs, kinds)
        if not axes and mine != replace(theirs, draw=mine.draw):
            axes = {"distances"}
        for axis in axes or {"same"}:
            counts[axis] = counts.get(axis, 0) + 1
    return counts
