"""URDF and MJCF, loaded by the engines that read them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins.errors import SceneError
from cousins.geometry import Array, rigid, rotation_about
from cousins.reconstruct.inertia import principal_inertia
from cousins.reconstruct.kinematics import asset_from_links
from cousins.rounding import round_pose
from cousins.scene.io.paths import body_name
from cousins.scene.robot_formats.mjcf_writer import mjcf_file, write_mjcf
from cousins.scene.robot_formats.urdf_writer import urdf_files, write_urdf
from cousins.scene.scenes import PlacedAsset, Scene
from tests.cousins.scene.scenes_for_tests import box_asset, can_asset, table_scene, tilted, with_pose

mujoco = pytest.importorskip("mujoco")
pybullet = pytest.importorskip("pybullet")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return with_pose(table_scene(), "box", tilted(0.7, (0.12, 0.03, 0.9)))


@pytest.fixture(scope="module")
def folder(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    write_mjcf(scene, folder)
    write_urdf(scene, folder)
    return folder


def expected_bodies(scene: Scene) -> dict[str, tuple[float, Array, Array]]:
    """By body: mass, pose in the world, inertia about the centre of mass in the body's axes."""
    bodies = {}
    for placed in scene.objects:
        poses = asset_from_links(placed.asset)
        for link in placed.asset.links:
            pose = round_pose(placed.world_from_asset) @ poses[link.name]
            bodies[body_name(placed.asset, link.name)] = (link.mass_kg.value, pose, link.inertia_kg_m2)
    return bodies


def test_mujoco_reads_the_masses_poses_inertias_and_joints_of_the_scene(scene: Scene, folder: Path) -> None:
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for name, (mass, pose, inertia) in expected_bodies(scene).items():
        body = model.body(name)
        principal = np.zeros(9)
        mujoco.mju_quat2Mat(principal, body.iquat)
        axes = principal.reshape(3, 3)
        assert body.mass[0] == pytest.approx(mass, rel=1e-8)
        np.testing.assert_allclose(data.body(name).xpos, pose[:3, 3], atol=1e-9)
        np.testing.assert_allclose(data.body(name).xmat.reshape(3, 3), pose[:3, :3], atol=1e-7)
        np.testing.assert_allclose(axes @ np.diag(body.inertia) @ axes.T, inertia, atol=1e-6 * np.trace(inertia))
    kinds = [int(kind) for kind in model.jnt_type]
    assert kinds.count(int(mujoco.mjtJoint.mjJNT_FREE)) == 3
    hinge, slide = model.joint("cabinet__hinge"), model.joint("cabinet__slide")
    assert hinge.type[0] == mujoco.mjtJoint.mjJNT_HINGE
    assert slide.type[0] == mujoco.mjtJoint.mjJNT_SLIDE
    np.testing.assert_allclose(hinge.range, [0.0, 1.9])
    np.testing.assert_allclose(slide.range, [0.0, 0.25])
    assert model.njnt == 5


def test_pybullet_reads_the_masses_inertias_and_joints_of_every_asset(scene: Scene, folder: Path) -> None:
    client = pybullet.connect(pybullet.DIRECT)
    expected = expected_bodies(scene)
    for placed in scene.objects:
        path = str(folder / f"assets/{placed.asset.name}/asset.urdf")
        body = pybullet.loadURDF(path, flags=pybullet.URDF_USE_INERTIA_FROM_FILE, physicsClientId=client)
        joints = [pybullet.getJointInfo(body, index) for index in range(pybullet.getNumJoints(body))]
        assert [joint[1].decode() for joint in joints] == [
            f"{placed.asset.name}__{joint.name}" for joint in placed.asset.joints
        ]
        for joint_info, joint in zip(joints, placed.asset.joints, strict=True):
            assert (joint_info[8], joint_info[9]) == (joint.lower, joint.upper)
        links = [(-1, placed.asset.name)] + [(index, joint[12].decode()) for index, joint in enumerate(joints)]
        for index, name in links:
            dynamics = pybullet.getDynamicsInfo(body, index)
            axes = np.array(pybullet.getMatrixFromQuaternion(dynamics[4])).reshape(3, 3)
            mass, _, inertia = expected[name]
            assert dynamics[0] == pytest.approx(mass, rel=1e-8)
            assert dynamics[1] == pytest.approx(np.sqrt(0.5))
            assert dynamics[5] == pytest.approx(np.sqrt(0.3))
            np.testing.assert_allclose(axes @ np.diag(dynamics[2]) @ axes.T, inertia, atol=1e-6 * np.trace(inertia))
        for index in range(len(joints)):
            state = pybullet.getLinkState(body, index)
            base = rigid(
                np.array(pybullet.getMatrixFromQuaternion(state[5])).reshape(3, 3), np.array(state[4], dtype=float)
            )
            expected_pose = asset_from_links(placed.asset)[joints[index][12].decode().split("__")[1]]
            np.testing.assert_allclose(base, expected_pose, atol=1e-6)
    structures = pybullet.loadURDF(str(folder / "structures.urdf"), useFixedBase=True)
    assert [pybullet.getJointInfo(structures, index)[12].decode() for index in range(2)] == ["floor", "table"]
    pybullet.disconnect(client)


def test_the_whole_scene_is_one_urdf_tree_with_a_floating_joint_for_each_object(scene: Scene, folder: Path) -> None:
    robot = ET.parse(folder / "scene.urdf").getroot()
    links = [link.attrib["name"] for link in robot.iter("link") if "name" in link.attrib]
    children = [joint.find("child").attrib["link"] for joint in robot.iter("joint")]  # type: ignore[union-attr]
    assert links[0] == "world"
    assert sorted([*children, "world"]) == sorted(links)
    floating = [joint.attrib["name"] for joint in robot.iter("joint") if joint.attrib["type"] == "floating"]
    assert floating == ["world__cabinet", "world__box", "world__bowl"]
    for mesh in robot.iter("mesh"):
        assert (folder / mesh.attrib["filename"]).is_file()


def test_urdf_and_mjcf_give_a_pair_with_structure_the_same_friction(folder: Path) -> None:
    scene = table_scene()
    robot = ET.parse(folder / "scene.urdf").getroot()
    written = {
        link.attrib["name"]: float(link.find("contact/lateral_friction").attrib["value"])  # type: ignore[union-attr]
        for link in robot.iter("link")
        if link.find("contact") is not None
    }
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    for placed in scene.objects:
        name = placed.asset.name
        mujoco_pair = max(model.geom(f"{name}__piece_00").friction[0], model.geom("table__piece_00").friction[0])
        assert written[name] * written["table"] == pytest.approx(mujoco_pair, rel=1e-5)


def test_nothing_bounces_or_buzzes_in_mujoco() -> None:
    for geom in ET.fromstring(mjcf_file(table_scene())).iter("geom"):
        if geom.attrib["contype"] == "1":
            assert geom.attrib["solref"] == "0.005 1"


def test_asset_that_stands_exactly_on_its_support_stays_there(tmp_path: Path) -> None:
    write_mjcf(table_scene(), tmp_path, visuals=False)
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert min(contact.dist for contact in data.contact) > -1e-6
    before = data.xpos.copy()
    mujoco.mj_step(model, data, 1000)
    np.testing.assert_allclose(data.xpos, before, atol=2e-4)


def test_compiling_twice_gives_the_same_bytes() -> None:
    assert mjcf_file(table_scene()) == mjcf_file(table_scene())
    assert urdf_files(table_scene()) == urdf_files(table_scene())


def test_principal_inertia_rebuilds_the_tensor_and_keeps_the_axes_of_a_diagonal_one() -> None:
    turn = rotation_about(np.array([1.0, 2.0, 3.0]), 0.8)
    tensor = turn @ np.diag([1e-7, 2e-7, 2.5e-7]) @ turn.T
    moments, axes = principal_inertia(tensor)
    np.testing.assert_allclose(axes @ np.diag(moments) @ axes.T, tensor, atol=1e-16)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_array_equal(principal_inertia(np.diag([3.0, 1.0, 2.0]))[1], np.eye(3))


@pytest.mark.parametrize("name", ["../up", "a/b", "a b", "", "-x", "é", "x" * 65])
def test_a_name_that_is_not_path_safe_is_refused(name: str) -> None:
    scene = table_scene()
    placed = PlacedAsset(asset=can_asset(name), world_from_asset=np.eye(4))
    with pytest.raises(SceneError, match="expected letters, digits"):
        mjcf_file(replace(scene, objects=(*scene.objects, placed)))


def test_two_bodies_of_one_name_are_refused() -> None:
    scene = table_scene()
    twin = PlacedAsset(asset=box_asset("Table"), world_from_asset=np.eye(4))
    with pytest.raises(SceneError, match="'table' twice"):
        urdf_files(replace(scene, objects=(*scene.objects, twin)))


def test_joints_that_form_a_loop_are_refused() -> None:
    cabinet = table_scene().objects[0].asset
    hinge = cabinet.joints[0]
    looped = replace(cabinet, joints=(hinge, replace(hinge, name="again")))
    with pytest.raises(SceneError, match="expected a tree over all links"):
        asset_from_links(looped)
