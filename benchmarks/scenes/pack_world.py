"""A library and cousins to measure packs with: ten textured objects on a table, each with bent shapes.

Nothing is tested in physics here: only bytes matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import trimesh

from cousins.affordances import Grasp, Signature, Support
from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.pack.manifests import PackMeta
from cousins.pack.twins import twin_cousin
from cousins.reconstruct.assets import Asset
from cousins.scene.looks import Light, Look
from cousins.scene.scenes import Relation
from cousins.vary.cousins import AXES, Cousin, GoalSpec, Library, ObjectInstance, Variant
from sim.physics.simple_assets import hull_piece, make_scene, place, rigid_asset

OBJECTS = 10
SHAPES = 7
TEXTURE_PX = 256
META = PackMeta(name="measured", seed=0, recipe={}, generator="benchmarks/packs.py")


def world(seed: int) -> Library:
    """Return the library: each object, and its bent shapes, which share its texture."""
    rng = np.random.default_rng(seed)
    variants: dict[str, Variant] = {}
    placed = []
    for number in range(OBJECTS):
        name = f"thing_{number}"
        base, texture = _blob(rng), _texture(rng)
        for shape in range(SHAPES + 1):
            key = name if shape == 0 else f"{name}-shape-{shape:02d}"
            asset = _asset(key, base * (1.0 if shape == 0 else rng.uniform(0.8, 1.2, size=3)), texture)
            variants[key] = _variant(key, asset, name)
            if shape == 0:
                placed.append(place(asset, 0.12 * (number % 4), 0.12 * (number // 4), asset.size_m[2] / 2.0))
    relations = tuple(Relation(kind="on", subject=f"thing_{number}", object="floor") for number in range(OBJECTS))
    return Library(scene=replace(make_scene(*placed, name="measured"), relations=relations), variants=variants)


def cousins(library: Library, count: int, *, seed: int) -> Iterator[Cousin]:
    """Give cousins that follow from their number and the seed alone."""
    twin = twin_cousin(library)
    keys = {
        name: sorted(key for key, variant in library.variants.items() if variant.twin_object == name)
        for name in library.variants
    }
    for index in range(1, count + 1):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        yield _cousin(twin, index, keys, library, rng)


def _cousin(twin: Cousin, index: int, keys: dict[str, list[str]], library: Library, rng: np.random.Generator) -> Cousin:
    direction = np.array([*rng.normal(size=2), -1.5])
    direction /= np.linalg.norm(direction)
    camera = look_at(rng.uniform(0.6, 1.0, size=3), np.array([0.2, 0.1, 0.0]))
    return replace(
        twin,
        index=index,
        split="train" if index % 5 else ("heldout_near" if index % 10 else "heldout_far"),
        objects=tuple(_moved_instance(instance, keys[instance.name], library, rng) for instance in twin.objects),
        look=Look(
            lights=(Light(direction=tuple(direction), color=tuple(rng.uniform(0.7, 1.0, 3)), intensity=rng.uniform()),),
            ambient=rng.uniform(0.2, 0.6),
            exposure=rng.uniform(0.6, 1.4),
            background=tuple(rng.uniform(size=3)),
            camera=Intrinsics(width=640, height=480, fx=rng.uniform(500, 600), fy=550.0, cx=319.5, cy=239.5),
            world_from_camera=tuple(tuple(row) for row in camera.tolist()),
        ),
        task=GoalSpec(
            target=twin.objects[int(rng.integers(OBJECTS))].name,
            goal_m=tuple(rng.uniform(-0.3, 0.3, 3)),
            goal_radius_m=0.03,
            robot_base_m=(-0.4, 0.0, 0.0),
            robot_yaw_rad=rng.uniform(-0.3, 0.3),
        ),
        distances={axis: rng.uniform() for axis in AXES},
        spawn_key=(0, index),
    )


def _moved_instance(
    instance: ObjectInstance, keys: list[str], library: Library, rng: np.random.Generator
) -> ObjectInstance:
    key = keys[int(rng.integers(len(keys)))]
    turn = rng.uniform(-np.pi, np.pi) / 2.0
    asset = library.variants[key].asset
    x, y, z = instance.position_m
    return replace(
        instance,
        variant=key,
        position_m=(x + rng.normal(0.0, 0.05), y + rng.normal(0.0, 0.05), z),
        quat_wxyz=(float(np.cos(turn)), 0.0, 0.0, float(np.sin(turn))),
        mass_kg=tuple(link.mass_kg.value * rng.uniform(0.7, 1.4) for link in asset.links),
        com_shift_m=tuple(rng.normal(0.0, 0.002, 3)),
        friction=rng.uniform(0.3, 0.9),
        restitution=rng.uniform(0.0, 0.4),
    )


def _blob(rng: np.random.Generator) -> Array:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.04)
    swell = 1.0 + 0.15 * np.sin(ball.vertices @ rng.normal(0.0, 60.0, size=(3, 3))).sum(axis=1)
    return np.asarray(ball.vertices * swell[:, None] + rng.normal(0.0, 1e-4, ball.vertices.shape))


def _texture(rng: np.random.Generator) -> Array:
    coarse = rng.uniform(0.0, 255.0, size=(TEXTURE_PX // 8, TEXTURE_PX // 8, 3))
    fine = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1) + rng.normal(0.0, 6.0, (TEXTURE_PX, TEXTURE_PX, 3))
    return np.clip(fine, 0.0, 255.0).astype(np.uint8)


def _asset(key: str, points: Array, texture: Array) -> Asset:
    faces = np.asarray(trimesh.creation.icosphere(subdivisions=4).faces, dtype=np.int32)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    uv = np.stack([np.arctan2(unit[:, 1], unit[:, 0]) / (2 * np.pi) + 0.5, np.arccos(unit[:, 2]) / np.pi], axis=1)
    cuts = [points[(points @ side) > 0.0] for side in (np.eye(3)[0], -np.eye(3)[0], np.eye(3)[1], -np.eye(3)[1])]
    asset = rigid_asset(key, [hull_piece(cut[:: max(1, len(cut) // 60)]) for cut in cuts], mass_kg=0.2)
    visual = Mesh(vertices=points, faces=faces, uv=uv, texture=texture)
    return replace(asset, links=(replace(asset.links[0], visual=visual),))


def _variant(key: str, asset: Asset, base_name: str) -> Variant:
    x, y, z = (float(side) for side in asset.size_m)
    grasp = Grasp(width_m=x, center_m=(0.0, 0.0, 0.0), axis=(1.0, 0.0, 0.0), approach=(0.0, 0.0, -1.0))
    return Variant(
        key=key,
        twin_object=base_name,
        kind="twin" if key == base_name else "shape",
        asset=asset,
        signature=Signature(
            size_m=(x, y, z), grasps=(grasp,) * 6, support=Support(radius_m=0.01, center_m=(0.0, 0.0, z / 2))
        ),
        origin="made for a measurement",
    )
