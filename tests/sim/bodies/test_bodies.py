"""Where the tip is and how it moves, against MuJoCo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from cousins.errors import CaptureError, UnknownNameError
from cousins.geometry import Array, quat_wxyz_from_rotation, rigid, rotation_about
from sim.bodies import Body, build, names
from sim.bodies.backends import panda, so101
from sim.bodies.kinematics import tip_chain, tip_kinematics, tips_in_world
from sim.physics.simple_assets import make_scene
from sim.worlds.mujoco_compiler import compile_world
from sim.worlds.worlds import ROBOT_NAME

SHIPPED = ("pusher", "gripper", "panda")


def drawn(body: Body, rows: int) -> Array:
    joints = {joint.name: joint for joint in body.asset.joints}
    limits = np.array([[joints[drive.joint].lower, joints[drive.joint].upper] for drive in body.drives])
    return np.random.default_rng(3).uniform(limits[:, 0], limits[:, 1], (rows, len(body.drives)))


def mujoco_tip(body: Body, position: Array) -> tuple[Array, Array]:
    """Return the pose of the tip and its Jacobian [6, drives] as MuJoCo has them."""
    alone = replace(body, asset=replace(body.asset, name=ROBOT_NAME))
    model = compile_world(make_scene(structures=()), alone, np.eye(4), timestep_s=0.002, sleep=False)
    data = mujoco.MjData(model)
    dofs = []
    for drive, value in zip(body.drives, position, strict=True):
        joint = model.joint(f"{ROBOT_NAME}__{drive.joint}")
        data.qpos[joint.qposadr[0]] = value
        dofs.append(int(joint.dofadr[0]))
    mujoco.mj_forward(model, data)
    link = model.body(f"{ROBOT_NAME}__{body.tip}").id
    tip = rigid(data.xmat[link].reshape(3, 3), data.xpos[link]) @ body.link_from_tip
    jacobian = np.zeros((6, model.nv))
    mujoco.mj_jac(model, data, jacobian[:3], jacobian[3:], tip[:3, 3], link)
    return tip, jacobian[:, dofs]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_tip_and_its_jacobian_are_those_of_mujoco(name: str) -> None:
    body = build(name)
    positions = drawn(body, 3)
    kinematics = tip_kinematics(tip_chain(body), positions)
    for row, position in enumerate(positions):
        tip, jacobian = mujoco_tip(body, position)
        np.testing.assert_allclose(kinematics.base_from_tip[row], tip, atol=1e-6)
        np.testing.assert_allclose(kinematics.jacobian[row], jacobian, atol=1e-6)


def test_a_row_does_not_depend_on_how_many_there_are() -> None:
    body = build("panda")
    positions = drawn(body, 7)
    batched, single = tip_kinematics(tip_chain(body), positions), tip_kinematics(tip_chain(body), positions[4:5])
    assert np.array_equal(batched.base_from_tip[4:5], single.base_from_tip)
    assert np.array_equal(batched.jacobian[4:5], single.jacobian)


def test_quaternions_of_tips_are_those_of_their_rotations() -> None:
    chain = tip_chain(build("pusher"))
    turns = np.random.default_rng(0).normal(size=(64, 3))
    turns[:3] = np.eye(3) * np.pi
    bases = np.array([rigid(rotation_about(turn, float(np.linalg.norm(turn)))) for turn in turns])
    _, quats = tips_in_world(chain, bases, np.zeros((64, 2)))
    tips = tip_kinematics(chain, np.zeros((1, 2))).base_from_tip[0]
    for base, quat in zip(bases, quats, strict=True):
        expected = quat_wxyz_from_rotation(base[:3, :3] @ tips[:3, :3])
        assert abs(abs(float(quat @ expected)) - 1.0) < 1e-12
        assert quat[0] >= 0.0


def test_the_ready_panda_points_its_open_hand_down() -> None:
    # Masses are Menagerie's, identified on a real arm; those of PyBullet's URDF, used before, add up to 17.96 kg.
    body = build("panda")
    home = np.array([[drive.home for drive in body.drives]])
    tip = tip_kinematics(tip_chain(body), home).base_from_tip[0]
    np.testing.assert_allclose(tip[:3, 2], [0.0, 0.0, -1.0], atol=1e-3)
    np.testing.assert_allclose(tip[:3, 3], [0.307, 0.0, 0.485], atol=1e-2)
    assert [drive.max_force for drive in body.drives] == [87.0] * 4 + [12.0] * 3 + [20.0] * 2
    assert [drive.max_speed for drive in body.drives] == [2.175] * 4 + [2.61] * 3 + [0.2] * 2
    assert sum(link.mass_kg.value for link in body.asset.links) == pytest.approx(17.45, abs=0.01)


def test_a_panda_with_its_looks_is_the_same_body(shared_data: Callable[[str], Path]) -> None:
    # The shipped model has no visual meshes: they weigh 33 MB. The published one has.
    model = shared_data("robots/franka_emika_panda") / "panda.xml"
    plain, with_looks = build("panda"), panda.build(panda.Config(model=model, looks=True))
    assert len(with_looks.asset.links[1].visual.faces) > 5 * len(plain.asset.links[1].visual.faces)
    for single, other in zip(plain.asset.links, with_looks.asset.links, strict=True):
        assert np.array_equal(single.inertia_kg_m2, other.inertia_kg_m2)
        assert single.mass_kg == other.mass_kg


def test_the_so101_is_read_from_its_own_urdf(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("robots/so101") / "so101_new_calib.urdf"
    body = build("so101", urdf=path)
    position = np.array([0.2, -0.4, 0.3, 0.9, 0.1, 0.8])
    tip, jacobian = mujoco_tip(body, position)
    kinematics = tip_kinematics(tip_chain(body), position[None])
    np.testing.assert_allclose(kinematics.base_from_tip[0], tip, atol=1e-6)
    np.testing.assert_allclose(kinematics.jacobian[0], jacobian, atol=1e-6)
    assert body.fingers == ("gripper",)


def test_fingers_of_every_body_come_last_and_home_is_within_limits() -> None:
    for name in SHIPPED:
        body = build(name)
        joints = {joint.name: joint for joint in body.asset.joints}
        fingers = tuple(drive.joint for drive in body.drives[len(body.drives) - len(body.fingers) :])
        assert fingers == body.fingers
        for drive in body.drives:
            assert joints[drive.joint].lower <= drive.home <= joints[drive.joint].upper


def test_a_typo_is_answered_with_the_nearest_name() -> None:
    assert names() == ["gripper", "panda", "pusher", "so101"]
    with pytest.raises(UnknownNameError, match=r"no body named 'pandas'.*Did you mean 'panda'\? Known: gripper, panda"):
        build("pandas")


def test_a_robot_that_is_not_shipped_asks_for_its_urdf(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no URDF of 'so101'"):
        build("so101")
    with pytest.raises(CaptureError, match=r"no file 'arm\.urdf'"):
        build("so101", urdf=tmp_path / "arm.urdf")
    with pytest.raises(CaptureError, match="panda needs no file"):
        build("panda", urdf=tmp_path / "arm.urdf")


def test_a_urdf_that_lacks_a_joint_or_a_mesh_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arm.urdf"
    links = ["base_link", *list(so101.HOME)[1:], "gripper_frame_link"]
    mesh = '<collision><geometry><mesh filename="a.stl"/></geometry></collision>'
    box = '<collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision>'
    parts = [f'<link name="{link}">{mesh}</link>' for link in links]
    parts += [
        f'<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/></joint>'
        for name, parent, child in zip(so101.HOME, links[:-1], links[1:], strict=True)
    ]
    path.write_text(f'<robot name="a">{"".join(parts)}</robot>')
    config = so101.Config(path=path)
    with pytest.raises(CaptureError, match=r"a mesh 'a\.stl' that is not beside it in 'arm\.urdf'"):
        so101.build(config)
    path.write_text(path.read_text().replace('"shoulder_lift" type', '"lift" type').replace(mesh, box))
    with pytest.raises(CaptureError, match=r"no joint 'shoulder_lift' with effort and velocity.* It has shoulder_pan"):
        so101.build(config)
    path.write_text(path.read_text().replace('"lift" type', '"shoulder_lift" type').replace(box, ""))
    with pytest.raises(CaptureError, match="nothing to touch in"):
        so101.build(config)
