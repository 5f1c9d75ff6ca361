"""The law book of bodies: every file in `sim.bodies.backends` keeps it."""

from __future__ import annotations

import dataclasses
import inspect
from contextlib import closing

import mujoco
import numpy as np
import pybullet
import pytest

from cousins.geometry import Array, rigid, rotation_from_quat_wxyz
from cousins.plugins import backend_names, load_backend
from sim.bodies import Body, build, names
from sim.bodies.capabilities import BodyCapabilities, capabilities_of
from sim.bodies.controllers import Controller, ee_delta, joint_delta, joint_velocity
from sim.bodies.kinematics import tip_chain, tip_kinematics
from sim.bodies.named import BACKENDS, capabilities_by_name
from sim.worlds.worlds import slots_of
from tests.sim.worlds_for_tests import BASE_M, TinySource, box_scene, push_task

ENGINES = [name for name in backend_names("sim.worlds.backends") if name != "fake"]


@pytest.fixture(scope="module", params=names())
def body(request: pytest.FixtureRequest) -> Body:
    name = str(request.param)
    module = load_backend(BACKENDS, name, kind="body")
    if "path" in {field.name for field in dataclasses.fields(module.Config)}:
        shared = request.getfixturevalue("shared_data")
        return build(name, urdf=shared(f"robots/{name}") / f"{name}_new_calib.urdf")
    return build(name)


def limits(body: Body) -> tuple[Array, Array]:
    joints = {joint.name: joint for joint in body.asset.joints}
    bounds = np.array([[joints[drive.joint].lower, joints[drive.joint].upper] for drive in body.drives])
    return bounds[:, 0], bounds[:, 1]


@pytest.mark.parametrize("name", names())
def test_a_body_is_one_file_with_a_frozen_config_and_build(name: str) -> None:
    module = load_backend(BACKENDS, name, kind="body")
    assert module.__doc__
    assert dataclasses.is_dataclass(module.Config)
    assert module.Config.__dataclass_params__.frozen
    assert list(inspect.signature(module.build).parameters) == ["config"]
    for field in dataclasses.fields(module.Config):
        assert field.default is not dataclasses.MISSING, f"{field.name} has no default"
    module.Config()


def test_names_limits_and_masses_are_those_of_a_robot(body: Body) -> None:
    assert body.name in names()
    lower, upper = limits(body)
    assert np.isfinite(lower).all()
    assert np.isfinite(upper).all()
    assert (lower < upper).all()
    home = np.array([drive.home for drive in body.drives])
    assert ((lower <= home) & (home <= upper)).all()
    assert all(drive.max_force > 0.0 and drive.max_speed > 0.0 and drive.armature >= 0.0 for drive in body.drives)
    for link in body.asset.links:
        assert link.mass_kg.value > 0.0, link.name
        moments = np.linalg.eigvalsh(link.inertia_kg_m2)
        assert moments[0] > 0.0, link.name
    fingers = tuple(drive.joint for drive in body.drives[len(body.drives) - len(body.fingers) :])
    assert fingers == body.fingers
    assert body.licence
    assert body.origin


def test_declared_capabilities_are_those_of_the_model(body: Body) -> None:
    derived, declared = capabilities_of(body), capabilities_by_name(body.name)
    assert isinstance(declared, BodyCapabilities)
    assert dataclasses.replace(declared, opening_m=0.0, reach_m=0.0) == dataclasses.replace(
        derived, opening_m=0.0, reach_m=0.0
    )
    assert declared.opening_m == pytest.approx(derived.opening_m, abs=0.005)
    assert declared.reach_m == pytest.approx(derived.reach_m, abs=0.02)
    assert (derived.opening_m > 0.0) is bool(body.fingers)


def table_world(body: Body, engine: str):  # type: ignore[no-untyped-def]
    """Return a closing world of one row that shows a table with a box out of the way, the body beside it."""
    source = TinySource(scenes={0: box_scene(0.05)}, tasks={0: push_task()})
    module = load_backend("sim.worlds.backends", engine, kind="engine")
    return closing(module.build(source, body, rows=1, slots=slots_of(source, [0]), config=module.Config()))


@pytest.mark.parametrize("engine", ENGINES)
def test_forward_kinematics_of_the_tip_are_those_of_each_engine(body: Body, engine: str) -> None:
    lower, upper = limits(body)
    rng = np.random.default_rng(5)
    with table_world(body, engine) as worlds:
        worlds.load_cousin(0, 0)
        for _ in range(3):
            position = rng.uniform(lower, upper)
            worlds.set_drives(0, position)
            state = worlds.read()
            tip = tip_kinematics(tip_chain(body), position[None]).base_from_tip[0]
            expected = rigid(translation=np.array(BASE_M)) @ tip
            np.testing.assert_allclose(state.tip_position_m[0], expected[:3, 3], atol=1e-3)
            turn = rotation_from_quat_wxyz(state.tip_quat_wxyz[0])
            np.testing.assert_allclose(turn, expected[:3, :3], atol=1e-3)
            independent = engine_tip(body, position, engine)
            np.testing.assert_allclose(independent, tip[:3, 3], atol=1e-3)


def engine_tip(body: Body, position: Array, engine: str) -> Array:
    """Return the position of the tip [3] by the engine's own kinematics of the written model, not by ours."""
    joints = {joint.name: joint for joint in body.asset.joints}
    values = {drive.joint: value for drive, value in zip(body.drives, position, strict=True)}
    above = {joint.child: joint for joint in body.asset.joints}
    path, link = [], body.tip
    while link in above:
        path.insert(0, joints[above[link].name])
        link = above[link].parent
    if engine == "mujoco":
        spec = mujoco.MjSpec()
        parent = spec.worldbody
        for joint in path:
            pose = joint.parent_from_child
            quat = np.zeros(4)
            mujoco.mju_mat2Quat(quat, pose[:3, :3].ravel())
            parent = parent.add_body(pos=pose[:3, 3], quat=quat, mass=1.0, inertia=[1.0, 1.0, 1.0], explicitinertial=1)
            kind = mujoco.mjtJoint.mjJNT_HINGE if joint.kind == "revolute" else mujoco.mjtJoint.mjJNT_SLIDE
            parent.add_joint(name=joint.name, type=kind, axis=joint.axis)
        parent.add_site(name="tip", pos=body.link_from_tip[:3, 3])
        model = spec.compile()
        data = mujoco.MjData(model)
        for joint in path:
            data.joint(joint.name).qpos[0] = values.get(joint.name, 0.0)
        mujoco.mj_kinematics(model, data)
        return np.array(data.site("tip").xpos)
    pose = (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    for joint in path:
        for step in (joint.parent_from_child, motion(joint.kind, joint.axis, values.get(joint.name, 0.0))):
            quat = np.zeros(4)
            mujoco.mju_mat2Quat(quat, step[:3, :3].ravel())
            pose = pybullet.multiplyTransforms(*pose, step[:3, 3].tolist(), [*quat[1:], quat[0]])
    position_m, _ = pybullet.multiplyTransforms(*pose, body.link_from_tip[:3, 3].tolist(), [0.0, 0.0, 0.0, 1.0])
    return np.array(position_m)


def motion(kind: str, axis: Array, value: float) -> Array:
    if kind == "prismatic":
        return rigid(translation=axis * value)
    quat = pybullet.getQuaternionFromAxisAngle(axis.tolist(), float(value))
    return rigid(rotation_from_quat_wxyz(np.array([quat[3], *quat[:3]])))


@pytest.mark.parametrize("control", [joint_velocity, joint_delta, ee_delta])
def test_controllers_keep_speeds_and_targets_within_limits(body: Body, control) -> None:  # type: ignore[no-untyped-def]
    lower, upper = limits(body)
    max_speed = np.array([drive.max_speed for drive in body.drives])
    arm = Controller(control(body), body, 2)
    position = np.tile([drive.home for drive in body.drives], (2, 1))
    arm.reset(np.arange(2), position)
    rng = np.random.default_rng(0)
    for _ in range(40):
        speeds = arm.speeds(rng.uniform(-2.0, 2.0, (2, arm.action_size)), position)
        assert np.isfinite(speeds).all()
        assert (np.abs(speeds) <= max_speed * (1.0 + 1e-9)).all()
        position = np.clip(position + speeds / arm.control.rate_hz, lower, upper)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_of_driving_breaks_nothing(body: Body, engine: str) -> None:
    lower, upper = limits(body)
    arm = Controller(joint_velocity(body), body, 1)
    with table_world(body, engine) as worlds:
        worlds.load_cousin(0, 0)
        state = worlds.read()
        arm.reset(np.arange(1), state.drive_position)
        substeps = round(0.05 / worlds.timestep_s)
        for number in range(20):
            action = np.full((1, arm.action_size), 0.2 * (-1.0) ** (number // 5))
            assert worlds.step(arm.speeds(action, state.drive_position), substeps) == [""]
            state = worlds.read()
            assert np.isfinite(state.drive_position).all()
            assert (state.drive_position >= lower - 0.02).all()
            assert (state.drive_position <= upper + 0.02).all()
        assert np.linalg.norm(state.drive_velocity) < 50.0
