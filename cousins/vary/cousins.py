"""Digital cousins: parameters over a library of assets, and the scene that they describe.

A library is made once for a scene, a recipe and a seed: the objects of the twin, their deformed and resized shapes, and
assets of other origin with the same affordances. A cousin selects one variant for each object and adds numbers, so it
takes kilobytes, loads without other cousins, and is turned into a scene by the pure function `build_scene`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cousins.affordances import Signature
from cousins.errors import SceneError
from cousins.geometry import rigid, rotation_from_quat_wxyz
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link
from cousins.scene.looks import Look
from cousins.scene.scenes import PlacedAsset, Relation, Scene, Structure
from cousins.vary.library.procedural_materials import mesh_with_material, with_material

Split = Literal["twin", "train", "heldout_near", "heldout_far"]
"""`twin`: the twin alone. `heldout_near`: sampled like train. `heldout_far`: with shapes that train never contains."""
SPLITS: tuple[Split, ...] = ("twin", "train", "heldout_near", "heldout_far")
AXES = ("layout", "clutter", "shape", "swap", "joints", "dynamics", "look", "task")
"""Axes of variation; each has a distance to the twin from 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Variant:
    """An asset that may replace an object of the twin."""

    key: str
    """Unique in the library, path-safe, such as `mug_1-shape-03`."""
    twin_object: str
    """Name of the object of the twin that it may replace; empty for clutter."""
    kind: Literal["twin", "shape", "family", "library", "clutter"]
    """Where it comes from."""
    asset: Asset
    """The asset."""
    signature: Signature
    """Its measured affordances."""
    origin: str
    """Description of its origin: `scan`, `bend 12°, stretch z 1.1`, `family mug`, `library gso/Mug`."""
    licence: str = "as the capture"
    """SPDX name of the licence of its meshes; `as the capture` for what was scanned."""
    shape_distance: float = 0.0
    """Distance of its shape from that of the twin's object, 0 to 1."""
    swap_distance: float = 0.0
    """The same for swapped assets; 0 for the object itself and its deformed shapes."""
    held_out: bool = False
    """True for variants that appear in `heldout_far` only."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Library:
    """The twin and all variants that its cousins are composed of."""

    scene: Scene
    """The twin."""
    variants: Mapping[str, Variant]
    """Variants by key; each object of the twin is present under its own name."""


@dataclass(frozen=True, kw_only=True)
class JointChange:
    """Parameters of a joint that replace those of the asset; angles [rad], lengths [m]."""

    name: str
    """Name of the joint."""
    lower: float
    """Lower limit."""
    upper: float
    """Upper limit."""
    damping: float
    """Viscous damping."""
    friction: float
    """Dry friction."""


@dataclass(frozen=True, kw_only=True)
class ObjectInstance:
    """One object of a cousin."""

    name: str
    """Name in the scene: the twin's, or `clutter_0` and on."""
    variant: str
    """Key of the variant that is placed there."""
    position_m: tuple[float, float, float]
    """Place in the world [m]."""
    quat_wxyz: tuple[float, float, float, float]
    """Orientation in the world, unit quaternion."""
    fixed: bool
    """True for objects that are fixed to the world."""
    mass_kg: tuple[float, ...]
    """Mass by link [kg]."""
    com_shift_m: tuple[float, float, float]
    """Shift of the root link's centre of mass [m]."""
    friction: float
    """Coulomb friction coefficient."""
    restitution: float
    """Coefficient of restitution."""
    joints: tuple[JointChange, ...] = ()
    """Joints with changed parameters."""
    material: str = ""
    """Name of a finish of `cousins.families.finishes` that covers it; empty for its own colours."""


@dataclass(frozen=True, kw_only=True)
class StructureChange:
    """Changed surface parameters of a structure."""

    name: str
    """Name of the structure."""
    friction: float
    """Coulomb friction coefficient."""
    restitution: float
    """Coefficient of restitution."""
    material: str = ""
    """Name of a material that covers it; empty for its own colours."""


@dataclass(frozen=True, kw_only=True)
class GoalSpec:
    """Target object, goal region and robot base of the task in one cousin."""

    target: str
    """Name of the object to be manipulated; empty where no object can be."""
    goal_m: tuple[float, float, float]
    """Centre of the goal region in the world [m]."""
    goal_radius_m: float
    """Radius of the goal region [m]."""
    robot_base_m: tuple[float, float, float]
    """Position of the robot's base in the world [m]."""
    robot_yaw_rad: float
    """Heading of the robot's base about z [rad]."""


@dataclass(frozen=True, kw_only=True)
class Cousin:
    """The parameters of a cousin."""

    index: int
    """Number in its pack; 0 is the twin."""
    split: Split
    """Split that it belongs to."""
    objects: tuple[ObjectInstance, ...]
    """Objects, each supporting object before the objects that it supports."""
    structures: tuple[StructureChange, ...]
    """Changes of the structures, in the order of the twin."""
    relations: tuple[Relation, ...]
    """Spatial relations that hold between its objects."""
    look: Look
    """Lights, camera and exposure."""
    task: GoalSpec
    """Target object and goal."""
    distances: Mapping[str, float]
    """Distance to the twin by axis, 0 to 1."""
    spawn_key: tuple[int, ...] = ()
    """Spawn key of its random numbers under the pack's seed."""


def build_scene(cousin: Cousin, library: Library, *, looks: bool = True) -> Scene:
    """Return the scene of a cousin; raises `SceneError` where the library lacks one of its variants.

    With `looks` False the materials are not applied to the meshes, which is enough for physics.
    """
    twin = library.scene
    changes = {change.name: change for change in cousin.structures}
    return replace(
        twin,
        name=f"{twin.name}_{cousin.index:06d}" if cousin.index else twin.name,
        structures=tuple(
            _changed_structure(structure, changes.get(structure.name), looks=looks) for structure in twin.structures
        ),
        objects=tuple(_placed_object(instance, library, looks=looks) for instance in cousin.objects),
        relations=cousin.relations,
        look=cousin.look,
    )


def _changed_structure(structure: Structure, change: StructureChange | None, *, looks: bool) -> Structure:
    if change is None:
        return structure
    visual = structure.visual
    if looks and change.material:
        visual = mesh_with_material(visual, change.material, pattern=structure.name)
    return replace(
        structure,
        visual=visual,
        friction=_with_value(structure.friction, change.friction),
        restitution=_with_value(structure.restitution, change.restitution),
    )


def _placed_object(instance: ObjectInstance, library: Library, *, looks: bool) -> PlacedAsset:
    variant = library.variants.get(instance.variant)
    if variant is None:
        raise SceneError(
            f"a cousin that shows {instance.variant[:80]!r}",
            expected="a variant of the pack's library",
            hint="Pull the pack again: its library is not the one that the cousin was made from.",
        )
    asset = variant.asset
    if len(instance.mass_kg) != len(asset.links):
        raise SceneError(
            f"{len(instance.mass_kg)} masses for {instance.name}",
            expected=f"one for each of the {len(asset.links)} links of {instance.variant}",
            hint="Pull the pack again.",
        )
    links = tuple(
        _changed_link(link, mass, np.array(instance.com_shift_m) if index == 0 else np.zeros(3))
        for index, (link, mass) in enumerate(zip(asset.links, instance.mass_kg, strict=True))
    )
    changes = {change.name: change for change in instance.joints}
    changed = replace(
        asset,
        name=instance.name,
        links=links,
        joints=tuple(_changed_joint(joint, changes.get(joint.name)) for joint in asset.joints),
        friction=_with_value(asset.friction, instance.friction),
        restitution=_with_value(asset.restitution, instance.restitution),
    )
    if looks and instance.material:
        changed = with_material(changed, instance.material, pattern=f"{instance.name}/{instance.variant}")
    pose = rigid(rotation_from_quat_wxyz(np.array(instance.quat_wxyz)), np.array(instance.position_m))
    return PlacedAsset(asset=changed, world_from_asset=pose, fixed=instance.fixed)


def _changed_link(link: Link, mass_kg: float, shift_m: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Link:
    return replace(
        link,
        mass_kg=_with_value(link.mass_kg, mass_kg),
        center_of_mass_m=link.center_of_mass_m + shift_m,
        inertia_kg_m2=link.inertia_kg_m2 * (mass_kg / link.mass_kg.value),
    )


def _changed_joint(joint: Joint, change: JointChange | None) -> Joint:
    if change is None:
        return joint
    return replace(joint, lower=change.lower, upper=change.upper, damping=change.damping, friction=change.friction)


def _with_value(quantity: Quantity, value: float) -> Quantity:
    """Return the quantity with another value; the interval is extended where the value lies outside."""
    return Quantity(value=value, low=min(quantity.low, value), high=max(quantity.high, value), source=quantity.source)
