"""The URDF and MJCF files of a scene folder, loaded as a user would, behave as the scene does in the engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pybullet
import pytest

from cousins.geometry import Array, quat_wxyz_from_rotation, rigid, rotation_about
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset, Joint
from cousins.scene.robot_formats.mjcf_writer import write_mjcf
from cousins.scene.robot_formats.urdf_writer import write_urdf
from cousins.scene.scenes import Scene
from sim.physics.simple_assets import (
    articulated_asset,
    box_piece,
    cylinder_piece,
    hull_piece,
    make_link,
    make_scene,
    place,
    rigid_asset,
    slab,
)
from sim.validation.settle import settle

MARGIN_M = 0.001
"""By how much Bullet grows each hull of a URDF."""


def drawer_unit() -> Asset:
    frame = make_link(
        "frame", [box_piece([0.3, 0.3, 0.02]), box_piece([0.02, 0.3, 0.3], center_m=(0.14, 0.0, 0.16))], mass_kg=4
    )
    drawer = make_link(
        "drawer", [hull_piece(box_piece([0.2, 0.2, 0.08], center_m=(0.02, 0.0, 0.0)).mesh.vertices)], mass_kg=1
    )
    slide = Joint(
        name="slide",
        kind="prismatic",
        parent="frame",
        child="drawer",
        parent_from_child=rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.2), np.array([0.0, 0.0, 0.1])),
        axis=np.array([-1.0, 0.0, 0.0]),
        lower=0.0,
        upper=0.2,
        damping=0.5,
        friction=1.0,
    )
    return articulated_asset("unit", [frame, drawer], joints=[slide])


def world() -> Scene:
    skew = rigid_asset("skew", [hull_piece(np.random.default_rng(4).uniform(-0.06, 0.06, (20, 3)))], mass_kg=0.35)
    can = rigid_asset("can", [cylinder_piece(0.035, 0.12)], mass_kg=0.4)
    turn = rotation_about(np.array([0.2, 0.1, 1.0]), 0.8)
    return make_scene(
        place(drawer_unit(), 0.0, 0.0, 0.012),
        place(skew, 0.5, 0.1, 0.07, rotation=turn),
        place(can, -0.5, 0.0, 0.062),
        structures=[slab("floor"), slab("table", size_m=(0.4, 0.4, 0.05), top_m=0.0)],
    )


@pytest.fixture
def client() -> Iterator[int]:
    number = pybullet.connect(pybullet.DIRECT)
    yield number
    pybullet.disconnect(number)


def load_urdfs(scene: Scene, folder: Path, client: int) -> dict[str, int]:
    write_urdf(scene, folder)
    pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
    pybullet.loadURDF(str(folder / "structures.urdf"), useFixedBase=True, physicsClientId=client)
    bodies = {}
    for placed in scene.objects:
        path = str(folder / "assets" / placed.asset.name / "asset.urdf")
        body = pybullet.loadURDF(path, flags=pybullet.URDF_USE_INERTIA_FROM_FILE, physicsClientId=client)
        inertial = rigid_of(pybullet.getDynamicsInfo(body, -1, physicsClientId=client)[3:5])
        pose = placed.world_from_asset @ inertial
        pybullet.resetBasePositionAndOrientation(body, pose[:3, 3], xyzw(pose), physicsClientId=client)
        bodies[placed.asset.name] = body
    return bodies


def rigid_of(values: Any) -> Array:
    pose = np.eye(4)
    pose[:3, :3] = np.array(pybullet.getMatrixFromQuaternion(values[1])).reshape(3, 3)
    pose[:3, 3] = values[0]
    return pose


def xyzw(pose: Array) -> list[float]:
    w, x, y, z = quat_wxyz_from_rotation(pose[:3, :3])
    return [x, y, z, w]


def rest(scene: Scene, name: str, duration_s: float) -> dict[str, Array]:
    module = load_backend("sim.physics.backends", name, kind="engine")
    with module.build(module.Config()) as engine:
        engine.load(scene)
        engine.step(round(duration_s / engine.timestep_s))
        return dict(engine.poses())


def test_the_urdf_has_the_masses_inertias_and_joints_of_the_scene(tmp_path: Path, client: int) -> None:
    scene = world()
    bodies = load_urdfs(scene, tmp_path, client)
    for placed in scene.objects:
        body = bodies[placed.asset.name]
        assert pybullet.getNumJoints(body, physicsClientId=client) == len(placed.asset.joints)
        for index, part in enumerate(placed.asset.links):
            info = pybullet.getDynamicsInfo(body, index - 1, physicsClientId=client)
            assert info[0] == pytest.approx(part.mass_kg.value)
            frame = rigid_of(info[3:5])
            assert frame[:3, 3] == pytest.approx(part.center_of_mass_m, abs=2e-6)
            inertia = frame[:3, :3] @ np.diag(info[2]) @ frame[:3, :3].T
            assert inertia == pytest.approx(part.inertia_kg_m2, rel=1e-4, abs=1e-4 * np.abs(part.inertia_kg_m2).max())
    limits = pybullet.getJointInfo(bodies["unit"], 0, physicsClientId=client)[8:10]
    assert limits == pytest.approx((0.0, 0.2))


def test_the_urdf_comes_to_rest_where_our_engine_says_up_to_the_margin(tmp_path: Path, client: int) -> None:
    scene = world()
    tumbled = rest(scene, "pybullet", 3.0)
    objects = [replace(placed, world_from_asset=tumbled[placed.asset.name]) for placed in scene.objects]
    scene = settle(replace(scene, objects=tuple(objects))).scene
    bodies = load_urdfs(scene, tmp_path, client)
    for _ in range(240):
        pybullet.stepSimulation(physicsClientId=client)
    expected = rest(scene, "pybullet", 1.0)
    for name, body in bodies.items():
        inertial = rigid_of(pybullet.getDynamicsInfo(body, -1, physicsClientId=client)[3:5])
        world_from_inertial = rigid_of(pybullet.getBasePositionAndOrientation(body, physicsClientId=client))
        pose = world_from_inertial @ np.linalg.inv(inertial)
        assert pose[:3, 3] == pytest.approx(expected[name][:3, 3], abs=2.0 * MARGIN_M + 1e-3)


def test_the_mjcf_with_its_looks_moves_bit_for_bit_as_our_engine(tmp_path: Path) -> None:
    scene = world()
    write_mjcf(scene, tmp_path)
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "scene.xml"))
    data = mujoco.MjData(model)
    assert model.njnt == len(scene.objects) + 1
    assert model.body("unit").mass[0] == pytest.approx(4.0)
    mujoco.mj_step(model, data, nstep=500)
    expected = rest(scene, "mujoco", 500 * model.opt.timestep)
    for name, pose in expected.items():
        assert data.joint(f"{name}__free").qpos[:3].tobytes() == np.ascontiguousarray(pose[:3, 3]).tobytes()
