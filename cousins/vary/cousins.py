"""Digital cousins: parameters over a library of assets, and the scene that they stand for.

A library is made once for a scene, a recipe and a seed: the twin's own objects, their bent and resized shapes, and
assets of other origin that afford the same. A cousin names one of them for each object and adds numbers, so it takes
kilobytes, loads without its siblings, and becomes a scene by one pure function.
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
from cousins.scene.scenes import Placed, Relation, Scene, Structure
from cousins.vary.library.procedural_materials import covered, covered_mesh

Split = Literal["twin", "train", "heldout_near", "heldout_far"]
"""`twin`: the twin alone. `heldout_near`: drawn as train is. `heldout_far`: has shapes that train never shows."""
SPLITS: tuple[Split, ...] = ("twin", "train", "heldout_near", "heldout_far")
AXES = ("layout", "clutter", "shape", "swap", "joints", "dynamics", "look", "task")
"""What may vary; each has a distance to the twin from 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Variant:
    """An asset that may stand in the place of an object of the twin."""

    key: str
    """Unique in the library, path-safe, such as `mug_1-shape-03`."""
    of: str
    """Name of the twin's object; empty for clutter, which stands in no one's place."""
    kind: Literal["twin", "shape", "family", "library", "clutter"]
    """Where it comes from."""
    asset: Asset
    """The asset."""
    signature: Signature
    """What it affords, measured."""
    origin: str
    """In words: `scan`, `bend 12°, stretch z 1.1`, `family mug`, `library gso/Mug`."""
    licence: str = "as the capture"
    """SPDX name of the licence of its meshes; `as the capture` for what was scanned."""
    shape_distance: float = 0.0
    """How far its shape is from the object's, 0 to 1."""
    swap_distance: float = 0.0
    """The same for what is no bent copy of the object; 0 for the object's own shapes."""
    held_out: bool = False
    """True for shapes that only `heldout_far` shows."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Library:
    """All that the cousins of a scene are put together from."""

    scene: Scene
    """The twin."""
    variants: Mapping[str, Variant]
    """By key; holds each object of the twin itself under its name."""


@dataclass(frozen=True, kw_only=True)
class JointChange:
    """Numbers of a joint that replace those of the asset; angles [rad], lengths [m]."""

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
class Stand:
    """One object of a cousin."""

    name: str
    """Name in the scene: the twin's, or `clutter_0` and on."""
    variant: str
    """Key of the variant that stands there."""
    position_m: tuple[float, float, float]
    """Place in the world [m]."""
    quat_wxyz: tuple[float, float, float, float]
    """Orientation."""
    fixed: bool
    """True for what is joined to the world."""
    mass_kg: tuple[float, ...]
    """Mass by link [kg]."""
    com_shift_m: tuple[float, float, float]
    """Shift of the root link's centre of mass [m]."""
    friction: float
    """Coulomb friction coefficient."""
    restitution: float
    """Coefficient of restitution."""
    joints: tuple[JointChange, ...] = ()
    """Changed joints."""
    material: str = ""
    """Name of a material of `cousins.families.finishes` that covers it; empty for its own colours."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What changed about a structure."""

    name: str
    """Name of the structure."""
    friction: float
    """Coulomb friction coefficient."""
    restitution: float
    """Coefficient of restitution."""
    material: str = ""
    """Name of a material that covers it; empty for its own colours."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Where a task starts and ends in this cousin."""

    target: str
    """Name of the object that is to be handled; empty where none can be."""
    goal_m: tuple[float, float, float]
    """Middle of the goal region [m]."""
    goal_radius_m: float
    """Radius of the goal region [m]."""
    robot_base_m: tuple[float, float, float]
    """Where the robot stands [m]."""
    robot_yaw_rad: float
    """Where it faces, about z [rad]."""


@dataclass(frozen=True, kw_only=True)
class Cousin:
    """A cousin as parameters."""

    index: int
    """Number in its pack; 0 is the twin."""
    split: Split
    """What it is for."""
    stands: tuple[Stand, ...]
    """Objects, each carrier before what it carries."""
    grounds: tuple[Ground, ...]
    """Structures, in the twin's order."""
    relations: tuple[Relation, ...]
    """Relations that hold."""
    look: Look
    """Lights, camera and exposure."""
    task: Task
    """What is to be done."""
    distances: Mapping[str, float]
    """Distance to the twin by axis, 0 to 1."""
    draw: tuple[int, ...] = ()
    """Spawn key of its random numbers under the pack's seed."""


def realise(cousin: Cousin, library: Library, *, looks: bool = True) -> Scene:
    """Return the scene of a cousin; raises `SceneError` where the library lacks what it names.

    Physics needs no `looks`: without them no object is covered by its material.
    """
    twin = library.scene
    grounds = {ground.name: ground for ground in cousin.grounds}
    return replace(
        twin,
        name=f"{twin.name}_{cousin.index:06d}" if cousin.index else twin.name,
        structures=tuple(_changed_structure(one, grounds.get(one.name), looks=looks) for one in twin.structures),
        objects=tuple(_placed(stand, library, looks=looks) for stand in cousin.stands),
        relations=cousin.relations,
        look=cousin.look,
    )


def _changed_structure(structure: Structure, ground: Ground | None, *, looks: bool) -> Structure:
    if ground is None:
        return structure
    visual = structure.visual
    if looks and ground.material:
        visual = covered_mesh(visual, ground.material, pattern=structure.name)
    return replace(
        structure,
        visual=visual,
        friction=_set(structure.friction, ground.friction),
        restitution=_set(structure.restitution, ground.restitution),
    )


def _placed(stand: Stand, library: Library, *, looks: bool) -> Placed:
    variant = library.variants.get(stand.variant)
    if variant is None:
        raise SceneError(
            f"a cousin that shows {stand.variant[:80]!r}",
            expected="a variant of the pack's library",
            hint="Pull the pack again: its library is not the one that the cousin was made from.",
        )
    asset = variant.asset
    if len(stand.mass_kg) != len(asset.links):
        raise SceneError(
            f"{len(stand.mass_kg)} masses for {stand.name}",
            expected=f"one for each of the {len(asset.links)} links of {stand.variant}",
            hint="Pull the pack again.",
        )
    links = tuple(
        _changed_link(link, mass, np.array(stand.com_shift_m) if index == 0 else np.zeros(3))
        for index, (link, mass) in enumerate(zip(asset.links, stand.mass_kg, strict=True))
    )
    changes = {change.name: change for change in stand.joints}
    changed = replace(
        asset,
        name=stand.name,
        links=links,
        joints=tuple(_changed_joint(joint, changes.get(joint.name)) for joint in asset.joints),
        friction=_set(asset.friction, stand.friction),
        restitution=_set(asset.restitution, stand.restitution),
    )
    if looks and stand.material:
        changed = covered(changed, stand.material, pattern=f"{stand.name}/{stand.variant}")
    pose = rigid(rotation_from_quat_wxyz(np.array(stand.quat_wxyz)), np.array(stand.position_m))
    return Placed(asset=changed, world_from_asset=pose, fixed=stand.fixed)


def _changed_link(link: Link, mass_kg: float, shift_m: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Link:
    return replace(
        link,
        mass_kg=_set(link.mass_kg, mass_kg),
        center_of_mass_m=link.center_of_mass_m + shift_m,
        inertia_kg_m2=link.inertia_kg_m2 * (mass_kg / link.mass_kg.value),
    )


def _changed_joint(joint: Joint, change: JointChange | None) -> Joint:
    if change is None:
        return joint
    return replace(joint, lower=change.lower, upper=change.upper, damping=change.damping, friction=change.friction)


def _set(quantity: Quantity, value: float) -> Quantity:
    """Return the quantity at another value; the interval grows where the value lies outside."""
    return Quantity(value=value, low=min(quantity.low, value), high=max(quantity.high, value), source=quantity.source)
