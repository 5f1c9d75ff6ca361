"""How far a cousin is from its twin, axis by axis, each from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array, transform
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset
from cousins.scene.kinematics import asset_from_links
from cousins.scene.layout.collision_bodies import piece_hull
from cousins.scene.looks import Look
from cousins.vary.cousins import AXES, Cousin, Library, Stand

GRID: Final = 20
"""Points along the longest side of the box in which two shapes are compared."""
FAR_M: Final = 0.5
"""An object that moved this far counts as moved fully [m]: across a desk."""
MANY: Final = 5.0
"""So many things added or removed count as fully cluttered."""
CAMERA_M: Final = 0.2
"""A camera that moved this far counts as moved fully [m]."""
STOPS: Final = 2.0
"""So many doublings of the light count as fully changed."""


def shape_distance(first: Asset, second: Asset) -> float:
    """Return 1 - intersection over union of two assets' pieces, both standing with their middles on one spot."""
    solids = [_equations(asset) for asset in (first, second)]
    low = np.minimum(*(low for _, low, _ in solids))
    high = np.maximum(*(high for _, _, high in solids))
    step = float((high - low).max()) / GRID
    axes = [np.arange(low[axis] + step / 2.0, high[axis], step) for axis in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    a, b = (_holds(pieces, points) for pieces, _, _ in solids)
    union = np.count_nonzero(a | b)
    return 1.0 - np.count_nonzero(a & b) / union if union else 0.0


def distances(cousin: Cousin, library: Library, twin: Cousin) -> dict[str, float]:
    """Return the distance of a cousin to its twin by axis, rounded to six decimals."""
    at_home = {stand.name: stand for stand in twin.stands}
    kept = [stand for stand in cousin.stands if stand.name in at_home]
    pairs = [(stand, at_home[stand.name]) for stand in kept if not stand.fixed]
    variants = [library.variants[stand.variant] for stand, _ in pairs]
    found = {
        "clutter": (len(cousin.stands) - len(kept) + len(at_home) - len(kept)) / MANY,
        "shape": _mean([variant.shape_distance for variant in variants]),
        "swap": _mean([variant.swap_distance for variant in variants]),
        "joints": _mean([value for stand in kept for value in _joints_changed(stand, library)]),
        "dynamics": _mean([_dynamics_changed(stand, library) for stand, _ in pairs]),
        "look": _look_changed(cousin, twin),
    }
    told = rest_distances(cousin, twin) | {axis: _told(value) for axis, value in found.items()}
    return {axis: told[axis] for axis in AXES}


def rest_distances(cousin: Cousin, twin: Cousin) -> dict[str, float]:
    """Return of `distances` those axes that a cousin's poses alone decide."""
    at_home = {stand.name: stand for stand in twin.stands}
    moved = [_moved(stand, at_home[stand.name]) for stand in cousin.stands if stand.name in at_home and not stand.fixed]
    found = {"layout": _mean(moved), "task": _task_changed(cousin, twin)}
    return {axis: _told(value) for axis, value in found.items()}


def _told(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 6)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _moved(stand: Stand, home: Stand) -> float:
    """Return how far an object stands from its place, and how far it is turned about z; heights are its shape's."""
    way = math.hypot(stand.position_m[0] - home.position_m[0], stand.position_m[1] - home.position_m[1])
    w, x, y, z = stand.quat_wxyz
    a, b, c, d = home.quat_wxyz
    turn = 2.0 * math.atan2(abs(z * a - w * d + y * b - x * c), abs(w * a + x * b + y * c + z * d))
    return 0.5 * min(way / FAR_M, 1.0) + 0.5 * turn / math.pi


def _joints_changed(stand: Stand, library: Library) -> list[float]:
    joints = {joint.name: joint for joint in library.variants[stand.variant].asset.joints}
    found = []
    for change in stand.joints:
        joint = joints[change.name]
        span = max(joint.upper - joint.lower, 1e-9)
        limits = 1.0 - (change.upper - change.lower) / span
        ratios = [_ratio(change.damping, joint.damping), _ratio(change.friction, joint.friction)]
        found.append(_mean([limits, *ratios]))
    return found


def _ratio(value: float, home: float) -> float:
    """Return how far two positive numbers are apart, 1 from a factor of four on; 0 where both are 0."""
    if value <= 0.0 or home <= 0.0:
        return 0.0 if value == home else 1.0
    return min(abs(float(np.log(value / home))) / float(np.log(4.0)), 1.0)


def _dynamics_changed(stand: Stand, library: Library) -> float:
    asset = library.variants[stand.variant].asset
    masses = [_within(link.mass_kg, mass) for link, mass in zip(asset.links, stand.mass_kg, strict=True)]
    sizes = asset.size_m.tolist()
    shift = max(abs(way) / max(size, 1e-6) for way, size in zip(stand.com_shift_m, sizes, strict=True)) / 0.25
    parts = [
        _mean(masses),
        _within(asset.friction, stand.friction),
        _within(asset.restitution, stand.restitution),
        min(shift, 1.0),
    ]
    return _mean(parts)


def _within(quantity: Quantity, value: float) -> float:
    """Return how far a value is from the best estimate, as a share of the way to that end of the interval."""
    end = quantity.high if value > quantity.value else quantity.low
    way = abs(end - quantity.value)
    return min(abs(value - quantity.value) / way, 1.0) if way > 0.0 else 0.0


def _look_changed(cousin: Cousin, twin: Cousin) -> float:
    look, home = cousin.look, twin.look
    key, home_key = np.array(look.lights[0].direction), np.array(home.lights[0].direction)
    angle = float(np.arctan2(np.linalg.norm(np.cross(key, home_key)), key @ home_key)) / np.pi
    color = float(np.abs(np.subtract(look.lights[0].color, home.lights[0].color)).max())
    stops = abs(float(np.log2(_brightness(look) / _brightness(home)))) / STOPS
    covers = [stand.material for stand in cousin.stands] + [ground.material for ground in cousin.grounds]
    covered = _mean([float(material != "") for material in covers])
    camera = 0.0
    if look.world_from_camera and home.world_from_camera:
        moved = np.array(look.world_from_camera)[:3, 3] - np.array(home.world_from_camera)[:3, 3]
        camera = min(float(np.linalg.norm(moved)) / CAMERA_M, 1.0)
    return _mean([min(2.0 * angle, 1.0), min(2.0 * color, 1.0), min(stops, 1.0), covered, camera])


def _brightness(look: Look) -> float:
    return look.exposure * (look.ambient + sum(light.intensity for light in look.lights))


def _task_changed(cousin: Cousin, twin: Cousin) -> float:
    """Return how far the goal lies otherwise from its object, and whether that is another one."""
    if not cousin.task.target or not twin.task.target:
        return 0.0
    goal = min(float(np.linalg.norm(_to_goal(cousin) - _to_goal(twin))) / FAR_M, 1.0)
    return 0.5 * goal + 0.5 * float(cousin.task.target != twin.task.target)


def _to_goal(cousin: Cousin) -> Array:
    """Return the level way from the handled object to its goal [2] [m]."""
    start = next(stand.position_m for stand in cousin.stands if stand.name == cousin.task.target)
    return np.subtract(cousin.task.goal_m, start)[:2]


def _equations(asset: Asset) -> tuple[list[Array], Array, Array]:
    """Return half spaces [f, 4] of each piece, and the box of all, with the middle of the foot at the origin."""
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


def _holds(pieces: list[Array], points: Array) -> Array:
    found = np.zeros(len(points), dtype=bool)
    for equations in pieces:
        open_points = np.flatnonzero(~found)
        inside = np.all(points[open_points] @ equations[:, :3].T + equations[:, 3] <= 1e-9, axis=1)
        found[open_points[inside]] = True
    return found


def vector(distance: Mapping[str, float]) -> Array:
    """Return distances as a vector in the order of `AXES`, float64 [8]."""
    return np.array([distance[axis] for axis in AXES])
