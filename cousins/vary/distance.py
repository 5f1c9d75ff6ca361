"""Distance of a cousin from its twin on each axis of variation, 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array, transform
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.layout.collision_bodies import piece_hull
from cousins.scene.looks import Look
from cousins.vary.cousins import AXES, Cousin, Library, ObjectInstance

GRID_POINTS: Final = 20
"""Grid points along the longest side of the box in which two shapes are compared."""
FULL_MOVE_M: Final = 0.5
"""Displacement of an object that counts as distance 1 [m]: across a desk."""
FULL_CLUTTER_COUNT: Final = 5.0
"""Number of added or removed objects that counts as distance 1."""
FULL_CAMERA_MOVE_M: Final = 0.2
"""Displacement of a camera that counts as distance 1 [m]."""
FULL_EXPOSURE_STOPS: Final = 2.0
"""Number of doublings of the brightness that counts as distance 1."""


def shape_distance(first: Asset, second: Asset) -> float:
    """Return 1 - intersection over union of the collision pieces of two assets whose feet are centred at one point."""
    solids = [_half_spaces(asset) for asset in (first, second)]
    low = np.minimum(*(low for _, low, _ in solids))
    high = np.maximum(*(high for _, _, high in solids))
    step = float((high - low).max()) / GRID_POINTS
    axes = [np.arange(low[axis] + step / 2.0, high[axis], step) for axis in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    in_first, in_second = (_contains(pieces, points) for pieces, _, _ in solids)
    union = np.count_nonzero(in_first | in_second)
    return 1.0 - np.count_nonzero(in_first & in_second) / union if union else 0.0


def distances(cousin: Cousin, library: Library, twin: Cousin) -> dict[str, float]:
    """Return the distance of a cousin to its twin by axis, rounded to six decimals."""
    twin_objects = {instance.name: instance for instance in twin.objects}
    shared = [instance for instance in cousin.objects if instance.name in twin_objects]
    pairs = [(instance, twin_objects[instance.name]) for instance in shared if not instance.fixed]
    variants = [library.variants[instance.variant] for instance, _ in pairs]
    raw = {
        "clutter": (len(cousin.objects) - len(shared) + len(twin_objects) - len(shared)) / FULL_CLUTTER_COUNT,
        "shape": _mean([variant.shape_distance for variant in variants]),
        "swap": _mean([variant.swap_distance for variant in variants]),
        "joints": _mean([value for instance in shared for value in _joint_distances(instance, library)]),
        "dynamics": _mean([_dynamics_distance(instance, library) for instance, _ in pairs]),
        "look": _look_distance(cousin, twin),
    }
    clamped = pose_distances(cousin, twin) | {axis: _clamped(value) for axis, value in raw.items()}
    return {axis: clamped[axis] for axis in AXES}


def pose_distances(cousin: Cousin, twin: Cousin) -> dict[str, float]:
    """Return the distances on the axes that depend on the poses alone: layout and task."""
    twin_objects = {instance.name: instance for instance in twin.objects}
    moves = [
        _pose_distance(instance, twin_objects[instance.name])
        for instance in cousin.objects
        if instance.name in twin_objects and not instance.fixed
    ]
    raw = {"layout": _mean(moves), "task": _task_distance(cousin, twin)}
    return {axis: _clamped(value) for axis, value in raw.items()}


def _clamped(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 6)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _pose_distance(instance: ObjectInstance, twin_instance: ObjectInstance) -> float:
    """Return the mean of normalised horizontal displacement and yaw difference; height depends on the shape."""
    distance_m = math.hypot(
        instance.position_m[0] - twin_instance.position_m[0], instance.position_m[1] - twin_instance.position_m[1]
    )
    w, x, y, z = instance.quat_wxyz
    a, b, c, d = twin_instance.quat_wxyz
    turn = 2.0 * math.atan2(abs(z * a - w * d + y * b - x * c), abs(w * a + x * b + y * c + z * d))
    return 0.5 * min(distance_m / FULL_MOVE_M, 1.0) + 0.5 * turn / math.pi


def _joint_distances(instance: ObjectInstance, library: Library) -> list[float]:
    joints = {joint.name: joint for joint in library.variants[instance.variant].asset.joints}
    values = []
    for change in instance.joints:
        joint = joints[change.name]
        span = max(joint.upper - joint.lower, 1e-9)
        limits = 1.0 - (change.upper - change.lower) / span
        ratios = [_ratio_distance(change.damping, joint.damping), _ratio_distance(change.friction, joint.friction)]
        values.append(_mean([limits, *ratios]))
    return values


def _ratio_distance(value: float, twin_value: float) -> float:
    """Return the logarithmic distance of two numbers, 1 from a factor of four on; 0 where both are 0."""
    if value <= 0.0 or twin_value <= 0.0:
        return 0.0 if value == twin_value else 1.0
    return min(abs(float(np.log(value / twin_value))) / float(np.log(4.0)), 1.0)


def _dynamics_distance(instance: ObjectInstance, library: Library) -> float:
    asset = library.variants[instance.variant].asset
    masses = [_interval_distance(link.mass_kg, mass) for link, mass in zip(asset.links, instance.mass_kg, strict=True)]
    sizes = asset.size_m.tolist()
    shift = (
        max(abs(offset_m) / max(size, 1e-6) for offset_m, size in zip(instance.com_shift_m, sizes, strict=True)) / 0.25
    )
    terms = [
        _mean(masses),
        _interval_distance(asset.friction, instance.friction),
        _interval_distance(asset.restitution, instance.restitution),
        min(shift, 1.0),
    ]
    return _mean(terms)


def _interval_distance(quantity: Quantity, value: float) -> float:
    """Return the distance of a value from the best estimate, as a share of the distance to that end of the interval."""
    end = quantity.high if value > quantity.value else quantity.low
    span = abs(end - quantity.value)
    return min(abs(value - quantity.value) / span, 1.0) if span > 0.0 else 0.0


def _look_distance(cousin: Cousin, twin: Cousin) -> float:
    look, twin_look = cousin.look, twin.look
    key, twin_key = np.array(look.lights[0].direction), np.array(twin_look.lights[0].direction)
    angle = float(np.arctan2(np.linalg.norm(np.cross(key, twin_key)), key @ twin_key)) / np.pi
    color = float(np.abs(np.subtract(look.lights[0].color, twin_look.lights[0].color)).max())
    stops = abs(float(np.log2(_brightness(look) / _brightness(twin_look)))) / FULL_EXPOSURE_STOPS
    covers = [instance.material for instance in cousin.objects] + [change.material for change in cousin.structures]
    covered = _mean([float(material != "") for material in covers])
    camera = 0.0
    if look.world_from_camera and twin_look.world_from_camera:
        moved = np.array(look.world_from_camera)[:3, 3] - np.array(twin_look.world_from_camera)[:3, 3]
        camera = min(float(np.linalg.norm(moved)) / FULL_CAMERA_MOVE_M, 1.0)
    return _mean([min(2.0 * angle, 1.0), min(2.0 * color, 1.0), min(stops, 1.0), covered, camera])


def _brightness(look: Look) -> float:
    return look.exposure * (look.ambient + sum(light.intensity for light in look.lights))


def _task_distance(cousin: Cousin, twin: Cousin) -> float:
    """Return the mean of the normalised change of the goal offset and whether the target object changed."""
    if not cousin.task.target or not twin.task.target:
        return 0.0
    goal = min(float(np.linalg.norm(_goal_offset(cousin) - _goal_offset(twin))) / FULL_MOVE_M, 1.0)
    return 0.5 * goal + 0.5 * float(cousin.task.target != twin.task.target)


def _goal_offset(cousin: Cousin) -> Array:
    """Return the horizontal vector from the target object to its goal [2] [m]."""
    start = next(instance.position_m for instance in cousin.objects if instance.name == cousin.task.target)
    return np.subtract(cousin.task.goal_m, start)[:2]


def _half_spaces(asset: Asset) -> tuple[list[Array], Array, Array]:
    """Return half-spaces [f, 4] of each piece and bounds [3] of all, with the centre of the foot at the origin."""
    poses = asset_from_links(asset)
    points = [
        transform(poses[link.name], piece_hull(piece, name=asset.name).points)
        for link in asset.links
        for piece in link.pieces
    ]
    everything = np.concatenate(points)
    low, high = everything.min(axis=0), everything.max(axis=0)
    foot = np.array([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, low[2]])
    return [ConvexHull(part - foot).equations for part in points], low - foot, high - foot


def _contains(pieces: list[Array], points: Array) -> Array:
    is_inside = np.zeros(len(points), dtype=bool)
    for equations in pieces:
        open_points = np.flatnonzero(~is_inside)
        in_piece = np.all(points[open_points] @ equations[:, :3].T + equations[:, 3] <= 1e-9, axis=1)
        is_inside[open_points[in_piece]] = True
    return is_inside


def distance_vector(distance: Mapping[str, float]) -> Array:
    """Return the distances by axis as a vector in the order of `AXES`, float64 [8]."""
    return np.array([distance[axis] for axis in AXES])
