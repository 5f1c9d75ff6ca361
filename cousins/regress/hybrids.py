"""Hybrids: the twin with some of the differences of a cousin, to find out which of them break a policy.

A difference is an axis and an object. Layout, dynamics, joints and the task can be taken in part; a shape, a swapped
asset, clutter and a look are there or not. A hybrid was not proved by the gates of its pack: it must pass them again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from cousins.vary.cousins import AXES, Cousin, GoalSpec, JointChange, Library, ObjectInstance, StructureChange

SURROUNDINGS: Final = ""
"""Object of the differences that belong to none."""
GRADUAL_AXES: Final = frozenset(("layout", "dynamics", "joints", "task"))
"""Axes that can be taken in part."""


@dataclass(frozen=True, kw_only=True, order=True)
class Difference:
    """One difference between a cousin and its twin."""

    axis: str
    """Axis of variation."""
    object: str
    """Name of the object; empty for the surroundings and the task."""

    def __str__(self) -> str:
        return f"{self.axis} of {self.object}" if self.object else self.axis


def differences(twin: Cousin, cousin: Cousin, library: Library) -> list[Difference]:
    """Return what a cousin differs from its twin in, by axis and then by object."""
    before, after = ({item.name: item for item in side.objects} for side in (twin, cousin))
    listed = [Difference(axis="clutter", object=name) for name in set(before) ^ set(after)]
    for name in set(before) & set(after):
        listed += [Difference(axis=axis, object=name) for axis in _axes_of(before[name], after[name], library)]
    if _surfaces(twin) != _surfaces(cousin):
        listed.append(Difference(axis="dynamics", object=SURROUNDINGS))
    if twin.look != cousin.look or _materials(twin) != _materials(cousin):
        listed.append(Difference(axis="look", object=SURROUNDINGS))
    if twin.task != cousin.task and twin.task.target:
        listed.append(Difference(axis="task", object=SURROUNDINGS))
    return sorted(listed, key=lambda item: (AXES.index(item.axis), item.object))


def blend(
    twin: Cousin, cousin: Cousin, parts: Collection[Difference], library: Library, *, amount: float = 1.0
) -> Cousin:
    """Return the twin with some differences of a cousin, the gradual ones to a share `amount` of 0 to 1.

    It keeps the cousin's number, so that its episodes have the same starts. A twin without a task takes the cousin's.
    """
    before, after = ({item.name: item for item in side.objects} for side in (twin, cousin))
    added = {name for name in after if name not in before and Difference(axis="clutter", object=name) in parts}
    removed = {name for name in before if name not in after and Difference(axis="clutter", object=name) in parts}
    objects = [
        _blended(before[item.name], after.get(item.name), parts, library, amount)
        for item in twin.objects
        if item.name not in removed
    ]
    objects += [item for item in cousin.objects if item.name in added]
    names = {item.name for item in objects} | {item.name for item in twin.structures}
    relations = [item for item in twin.relations if {item.subject, item.object} <= names]
    relations += [item for item in cousin.relations if item.subject in added and item.object in names]
    has_look = Difference(axis="look", object=SURROUNDINGS) in parts
    return replace(
        twin,
        index=cousin.index,
        split=cousin.split,
        objects=tuple(objects),
        structures=tuple(_blended_structures(twin, cousin, parts, amount)),
        relations=tuple(relations),
        look=cousin.look if has_look else twin.look,
        task=_blended_task(twin, cousin, parts, {item.name for item in objects}, amount),
        distances=dict.fromkeys(AXES, 0.0),
        spawn_key=cousin.spawn_key,
    )


def changes_of(twin: Cousin, hybrid: Cousin) -> list[dict[str, Any]]:
    """Return every parameter in which a hybrid differs from its twin: object, name, both values."""
    rows: list[dict[str, Any]] = []
    before, after = ({item.name: item for item in side.objects} for side in (twin, hybrid))
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            rows.append({"object": name, "parameter": "present", "twin": name in before, "here": name in after})
            continue
        rows += _changed_fields(name, before[name], after[name])
    for ground, now in zip(twin.structures, hybrid.structures, strict=True):
        rows += _changed_fields(ground.name, ground, now)
    return rows + (_changed_fields("task", twin.task, hybrid.task) if twin.task.target else [])


def _axes_of(before: ObjectInstance, after: ObjectInstance, library: Library) -> list[str]:
    axes = []
    if before.variant != after.variant:
        bent = {library.variants[key].kind for key in (before.variant, after.variant)} <= {"twin", "shape"}
        axes.append("shape" if bent else "swap")
    if (before.position_m, before.quat_wxyz, before.fixed) != (after.position_m, after.quat_wxyz, after.fixed):
        axes.append("layout")
    if before.joints != after.joints:
        axes.append("joints")
    numbers = ("mass_kg", "com_shift_m", "friction", "restitution")
    if any(getattr(before, name) != getattr(after, name) for name in numbers):
        axes.append("dynamics")
    if before.material != after.material:
        axes.append("look")
    return axes


def _blended(
    before: ObjectInstance,
    after: ObjectInstance | None,
    parts: Collection[Difference],
    library: Library,
    amount: float,
) -> ObjectInstance:
    if after is None:
        return before
    axes = {part.axis for part in parts if part.object == before.name}
    instance = before
    if axes & {"shape", "swap"}:
        links = library.variants[after.variant].asset.links
        position_m = (*before.position_m[:2], after.position_m[2])
        instance = replace(before, variant=after.variant, mass_kg=tuple(link.mass_kg.value for link in links))
        instance = replace(instance, position_m=position_m, joints=())
    if "layout" in axes:
        x, y, z = _mixed(before.position_m, after.position_m, amount)
        height_m = z if instance.variant == before.variant else after.position_m[2]
        quat_wxyz = _slerp(before.quat_wxyz, after.quat_wxyz, amount)
        instance = replace(instance, position_m=(x, y, height_m), quat_wxyz=quat_wxyz, fixed=after.fixed)
    if "dynamics" in axes:
        instance = _with_dynamics(instance, before, after, library, amount)
    if "joints" in axes:
        instance = replace(instance, joints=_blended_joints(instance, after, library, amount))
    return replace(instance, material=after.material) if "look" in axes else instance


def _with_dynamics(
    instance: ObjectInstance, before: ObjectInstance, after: ObjectInstance, library: Library, amount: float
) -> ObjectInstance:
    """Return the instance with masses, friction and restitution on their way to the cousin's.

    Masses are factors of those of the asset that each side shows, so that they carry over to an asset of other links.
    """
    factors = [
        sum(item.mass_kg) / sum(link.mass_kg.value for link in library.variants[item.variant].asset.links)
        for item in (before, after)
    ]
    asset_masses = [link.mass_kg.value for link in library.variants[instance.variant].asset.links]
    factor = factors[0] * (factors[1] / factors[0]) ** amount
    is_cousins = instance.variant == after.variant and amount == 1.0
    return replace(
        instance,
        mass_kg=after.mass_kg if is_cousins else tuple(factor * mass_kg for mass_kg in asset_masses),
        com_shift_m=_mixed(before.com_shift_m, after.com_shift_m, amount),
        friction=_between(before.friction, after.friction, amount),
        restitution=_between(before.restitution, after.restitution, amount),
    )


def _blended_joints(
    instance: ObjectInstance, after: ObjectInstance, library: Library, amount: float
) -> tuple[JointChange, ...]:
    """Return the joint changes of the cousin that the shown asset has, on their way from the asset's own values."""
    joints = {joint.name: joint for joint in library.variants[instance.variant].asset.joints}
    return tuple(
        replace(
            change,
            lower=_between(joints[change.name].lower, change.lower, amount),
            upper=_between(joints[change.name].upper, change.upper, amount),
            damping=_between(joints[change.name].damping, change.damping, amount),
            friction=_between(joints[change.name].friction, change.friction, amount),
        )
        for change in after.joints
        if change.name in joints
    )


def _blended_structures(
    twin: Cousin, cousin: Cousin, parts: Collection[Difference], amount: float
) -> list[StructureChange]:
    after = {item.name: item for item in cousin.structures}
    has_dynamics = Difference(axis="dynamics", object=SURROUNDINGS) in parts
    has_look = Difference(axis="look", object=SURROUNDINGS) in parts
    structures = []
    for item in twin.structures:
        other = after.get(item.name, item)
        if has_dynamics:
            item = replace(
                item,
                friction=_between(item.friction, other.friction, amount),
                restitution=_between(item.restitution, other.restitution, amount),
            )
        structures.append(replace(item, material=other.material) if has_look else item)
    return structures


def _blended_task(
    twin: Cousin, cousin: Cousin, parts: Collection[Difference], names: Collection[str], amount: float
) -> GoalSpec:
    if not twin.task.target:
        return cousin.task
    if Difference(axis="task", object=SURROUNDINGS) not in parts or cousin.task.target not in {*names, ""}:
        return twin.task
    if cousin.task.target != twin.task.target:
        return cousin.task
    return replace(
        cousin.task,
        goal_m=_mixed(twin.task.goal_m, cousin.task.goal_m, amount),
        goal_radius_m=_between(twin.task.goal_radius_m, cousin.task.goal_radius_m, amount),
        robot_base_m=_mixed(twin.task.robot_base_m, cousin.task.robot_base_m, amount),
        robot_yaw_rad=_between(twin.task.robot_yaw_rad, cousin.task.robot_yaw_rad, amount),
    )


def _between(before: float, after: float, amount: float) -> float:
    return after if amount == 1.0 else before + amount * (after - before)


def _mixed(
    before: tuple[float, float, float], after: tuple[float, float, float], amount: float
) -> tuple[float, float, float]:
    x, y, z = (_between(a, b, amount) for a, b in zip(before, after, strict=True))
    return x, y, z


def _slerp(
    before: tuple[float, float, float, float], after: tuple[float, float, float, float], amount: float
) -> tuple[float, float, float, float]:
    if amount == 1.0:
        return after
    first, second = np.array(before), np.array(after)
    cosine = float(first @ second)
    second, cosine = (-second, -cosine) if cosine < 0.0 else (second, cosine)
    angle = math.acos(min(cosine, 1.0))
    if angle < 1e-9:
        return before
    mixed = (math.sin((1.0 - amount) * angle) * first + math.sin(amount * angle) * second) / math.sin(angle)
    w, x, y, z = (mixed / np.linalg.norm(mixed)).tolist()
    return w, x, y, z


def _changed_fields(name: str, before: object, after: object) -> list[dict[str, Any]]:
    first: Mapping[str, Any] = vars(before)
    return [
        {"object": name, "parameter": key, "twin": value, "here": getattr(after, key)}
        for key, value in first.items()
        if value != getattr(after, key) and key != "name"
    ]


def _surfaces(cousin: Cousin) -> list[tuple[float, float]]:
    return [(item.friction, item.restitution) for item in cousin.structures]


def _materials(cousin: Cousin) -> list[str]:
    return [item.material for item in cousin.structures]
