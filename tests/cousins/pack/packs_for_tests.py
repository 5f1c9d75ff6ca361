"""A small library over the table scene, and cousins drawn from it by a seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cousins.affordances import Cavity, Grasp, JointAffordance, Signature, Support
from cousins.geometry import Intrinsics, look_at
from cousins.pack.manifests import PackMeta
from cousins.pack.twins import twin_cousin
from cousins.pack.writer import write_pack
from cousins.reconstruct.assets import Asset
from cousins.scene.looks import Light, Look
from cousins.vary.cousins import AXES, Cousin, GoalSpec, Library, ObjectInstance, Split, Variant
from tests.cousins.scene.scenes_for_tests import ball_asset, box_asset, can_asset, table_scene

META = PackMeta(
    name="table",
    seed=7,
    recipe={"axes": {"layout": 0.6, "look": {"exposure": [0.5, 1.5]}}},
    generator="cousins 0.1.0",
    coverage={"layout": 0.5},
    gates={"mujoco": {"max_penetration_mm": 0.02}},
    lineage={"capture": "0" * 64, "twin": "1" * 64},
)
SPLIT_OF: tuple[Split, ...] = ("train", "train", "train", "heldout_near", "train", "heldout_far")


def signature(asset: Asset) -> Signature:
    x, y, z = asset.size_m.tolist()
    grasp = Grasp(width_m=x, center_m=(0.0, 0.0, z / 3), axis=(1.0, 0.0, 0.0), approach=(0.0, 0.0, -1.0))
    joints = tuple(
        JointAffordance(name=joint.name, kind=joint.kind, axis=(0.0, 0.0, 1.0), range=joint.upper, handle_m=None)
        for joint in asset.joints
        if joint.kind != "fixed"
    )
    return Signature(
        size_m=(x, y, z),
        grasps=(grasp,),
        cavity=Cavity(volume_m3=1e-4, opening_m=0.07, depth_m=0.05, center_m=(0.0, 0.0, z / 2)),
        support=Support(radius_m=x / 3, center_m=(0.0, 0.0, z / 2)),
        joints=joints,
    )


def variant(
    key: str, asset: Asset, *, twin_object: str, kind: str, licence: str = "Apache-2.0", held_out: bool = False
) -> Variant:
    return Variant(
        key=key,
        twin_object=twin_object,
        kind=kind,
        asset=asset,
        signature=signature(asset),
        origin="scan" if kind == "twin" else f"{kind} {key}",
        licence="as the capture" if kind == "twin" else licence,
        shape_distance=0.0 if kind == "twin" else 1 / 3,
        held_out=held_out,
    )


def table_library(*, shapes: int = 3) -> Library:
    scene = table_scene()
    variants = {
        placed.asset.name: variant(placed.asset.name, placed.asset, twin_object=placed.asset.name, kind="twin")
        for placed in scene.objects
    }
    for number in range(shapes):
        key = f"box-shape-{number:02d}"
        asset = box_asset(name=key, size=(0.19 + 0.01 / (number + 3), 0.11, 0.05))
        variants[key] = variant(key, asset, twin_object="box", kind="shape")
    variants["can"] = variant("can", can_asset(), twin_object="box", kind="family")
    variants["ball"] = variant("ball", ball_asset(), twin_object="", kind="clutter", licence="CC0-1.0", held_out=True)
    return Library(scene=scene, variants=variants)


def cousin(library: Library, index: int, *, seed: int = 7) -> Cousin:
    """Return a cousin that follows from its number and the seed alone; it is not tested in physics."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    twin = twin_cousin(library)
    keys = sorted(key for key, variant in library.variants.items() if variant.twin_object == "box")
    instances = tuple(_moved(instance, keys, library, rng) for instance in twin.objects)
    direction = np.array([*rng.normal(size=2), -1.0])
    direction /= np.linalg.norm(direction)
    camera = look_at(rng.uniform(0.8, 1.2, size=3) + np.array([0, 0, 1]), np.array([0.0, 0.0, 0.7]))
    look = Look(
        lights=(Light(direction=tuple(direction.tolist()), color=(1.0, 0.9, rng.uniform()), intensity=rng.uniform()),),
        exposure=float(rng.uniform(0.5, 1.5)),
        camera=Intrinsics(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5),
        world_from_camera=tuple(tuple(row) for row in camera.tolist()),
    )
    return replace(
        twin,
        index=index,
        split=SPLIT_OF[index % len(SPLIT_OF)],
        objects=instances,
        look=look,
        task=GoalSpec(
            target="box",
            goal_m=(float(rng.uniform()), 0.0, 0.7),
            goal_radius_m=0.05,
            robot_base_m=(-0.5, 0.0, 0.7),
            robot_yaw_rad=float(rng.uniform()),
        ),
        distances={axis: float(rng.uniform()) for axis in AXES},
        spawn_key=(index, 0),
    )


def cousins(library: Library, count: int) -> list[Cousin]:
    return [cousin(library, index) for index in range(1, count + 1)]


def small_pack(folder: Path, *, count: int = 12) -> str:
    """Write a pack of the twin and some cousins, and return its digest."""
    library = table_library()
    return write_pack(folder, library, cousins(library, count), meta=META, rejections={"penetration": {"layout": 3}})


def _moved(instance: ObjectInstance, keys: list[str], library: Library, rng: np.random.Generator) -> ObjectInstance:
    key = keys[int(rng.integers(len(keys)))] if instance.name == "box" else instance.variant
    angle = float(rng.uniform(0, np.pi))
    x, y, z = instance.position_m
    return replace(
        instance,
        variant=key,
        position_m=(x + float(rng.normal(0, 0.05)), y + float(rng.normal(0, 0.05)), z),
        quat_wxyz=(float(np.cos(angle)), 0.0, 0.0, float(np.sin(angle))),
        mass_kg=tuple(link.mass_kg.value * float(rng.uniform(0.8, 1.2)) for link in library.variants[key].asset.links),
        com_shift_m=(float(rng.normal(0, 0.002)), 0.0, 0.0),
        friction=float(rng.uniform(0.3, 0.7)),
        restitution=float(rng.uniform(0.0, 0.4)),
    )
