"""USD as written: the same joints, masses and poses as URDF and MJCF, and a package that USD itself accepts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pxr import Usd, UsdGeom, UsdPhysics, UsdSemantics, UsdShade

from cousins.geometry import rigid, rotation_about
from cousins.scene.scene_folder import write_scene
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.scene.usd.reader import read_usd
from tests.cousins.scene.scenes_for_tests import ball_asset, can_asset, table_scene, tilted, with_pose

mujoco = pytest.importorskip("mujoco")


@pytest.fixture(scope="module")
def scene() -> Scene:
    scene = with_pose(table_scene(), "cabinet", tilted(-1.1, (1.3, 0.2, 0.4)))
    can = PlacedAsset(asset=can_asset(), world_from_asset=rigid(translation=np.array([0.2, -0.2, 0.755])))
    ball = PlacedAsset(asset=ball_asset(), world_from_asset=rigid(translation=np.array([-0.3, 0.2, 0.735])))
    return Scene(
        name=scene.name,
        structures=scene.structures,
        objects=(*scene.objects, can, ball),
        relations=scene.relations,
        scale=scene.scale,
    )


@pytest.fixture(scope="module")
def folder(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("usd") / "scene"
    write_scene(scene, folder)
    return folder


@pytest.mark.parametrize("file", ["scene.usda", "scene.usdz"])
def test_bodies_masses_poses_and_joints_are_the_same_in_usd_and_mjcf(folder: Path, file: str) -> None:
    summary = read_usd(folder / file)
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    names = {"/World/Objects/cabinet/carcass": "cabinet"}
    names |= {f"/World/Objects/cabinet/{part}": f"cabinet__{part}" for part in ("door", "drawer")}
    names |= {f"/World/Objects/{name}": name for name in ("box", "bowl", "can", "ball")}
    assert {body.path for body in summary.bodies} == set(names)
    for body in summary.bodies:
        other = names[body.path]
        assert body.mass_kg == pytest.approx(model.body(other).mass[0], rel=1e-6)
        np.testing.assert_allclose(body.world_from_body[:3, 3], data.body(other).xpos, atol=1e-6)
        np.testing.assert_allclose(body.world_from_body[:3, :3], data.body(other).xmat.reshape(3, 3), atol=1e-6)
        geoms = [
            i for i in range(model.ngeom) if model.geom_bodyid[i] == model.body(other).id and model.geom_group[i] == 3
        ]
        assert body.colliders == len(geoms)
    joints = {joint.path.rsplit("/", 1)[1]: joint for joint in summary.joints}
    assert {name: joint.kind for name, joint in joints.items()} == {"hinge": "revolute", "slide": "prismatic"}
    for name, joint in joints.items():
        np.testing.assert_allclose((joint.lower, joint.upper), model.joint(f"cabinet__{name}").range, atol=1e-6)


def test_masses_and_joints_are_the_same_in_usd_and_urdf(folder: Path) -> None:
    summary = read_usd(folder / "scene.usda")
    robot = ET.parse(folder / "scene.urdf").getroot()
    masses = sorted(float(mass.attrib["value"]) for mass in robot.iter("mass") if float(mass.attrib["value"]) > 0)
    np.testing.assert_allclose(sorted(body.mass_kg for body in summary.bodies), masses, rtol=1e-6)
    kinds = sorted(
        joint.attrib["type"] for joint in robot.iter("joint") if joint.attrib["type"] not in ("fixed", "floating")
    )
    assert kinds == sorted(joint.kind for joint in summary.joints)


def test_a_hinge_turns_about_the_same_line_in_usd_and_mjcf(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    hinge = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/World/Objects/cabinet/Joints/hinge"))
    turned = np.array(
        UsdGeom.XformCache().GetLocalToWorldTransform(stage.GetPrimAtPath(hinge.GetBody1Rel().GetTargets()[0]))
    ).T
    w, (x, y, z) = hinge.GetLocalRot1Attr().Get().real, hinge.GetLocalRot1Attr().Get().imaginary
    axis = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(turned[:3, :3] @ axis, data.joint("cabinet__hinge").xaxis, atol=1e-6)
    np.testing.assert_allclose(turned[:3, 3], data.joint("cabinet__hinge").xanchor, atol=1e-6)


def test_limits_are_degrees_on_the_stage_and_units_are_si(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    hinge = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/World/Objects/cabinet/Joints/hinge"))
    assert hinge.GetUpperLimitAttr().Get() == pytest.approx(np.rad2deg(1.9))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert UsdPhysics.GetStageKilogramsPerUnit(stage) == 1.0
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert stage.GetDefaultPrim().GetPath() == "/World"


def test_bodies_carry_no_scale_and_each_piece_is_its_own_bound_collider(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    for prim in stage.Traverse():
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            assert not any("scale" in name for name in UsdGeom.Xformable(prim).GetXformOpOrderAttr().Get())
            assert prim.HasAPI(UsdPhysics.MassAPI)
        if prim.HasAPI(UsdPhysics.CollisionAPI):
            material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial("physics")
            assert UsdPhysics.MaterialAPI(material.GetPrim()).GetStaticFrictionAttr().Get() == pytest.approx(0.5)
            if prim.IsA(UsdGeom.Mesh):
                assert UsdPhysics.MeshCollisionAPI(prim).GetApproximationAttr().Get() == "convexHull"


def test_looks_labels_intervals_and_sources_are_on_the_asset(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    box = stage.GetPrimAtPath("/World/Objects/box")
    assert list(UsdSemantics.LabelsAPI(box, "category").GetLabelsAttr().Get()) == ["box 19×12×5 cm", "wood"]
    mass = box.GetCustomDataByKey("cousins:mass_kg")
    assert mass["source"] == "model"
    assert mass["low"] < mass["value"] < mass["high"]
    material, _ = UsdShade.MaterialBindingAPI(stage.GetPrimAtPath("/World/Objects/box/visual")).ComputeBoundMaterial()
    image = UsdShade.Shader(material.GetPrim().GetChild("texture")).GetInput("file").Get()
    assert image.path == "./meshes/body_visual.png"
    assert Path(image.resolvedPath) == folder / "assets/box/meshes/body_visual.png"


def test_the_package_begins_with_the_root_layer_and_every_member_is_stored_and_aligned(folder: Path) -> None:
    with zipfile.ZipFile(folder / "scene.usdz") as archive:
        infos = archive.infolist()
        assert infos[0].filename == "scene.usda"
        assert archive.testzip() is None
    data = (folder / "scene.usdz").read_bytes()
    for info in infos:
        assert info.compress_type == zipfile.ZIP_STORED
        extra = int.from_bytes(data[info.header_offset + 28 : info.header_offset + 30], "little")
        begin = info.header_offset + 30 + len(info.filename.encode()) + extra
        assert begin % 64 == 0
        assert data[begin : begin + info.file_size] == (folder / info.filename).read_bytes()


@pytest.mark.parametrize("axis", [[1.0, 0, 0], [0, 1.0, 0], [0, 0, -1.0], [0.6, -0.8, 0.0]])
def test_the_joint_frame_turns_x_onto_any_axis(axis: list[float]) -> None:
    from cousins.scene.usd.asset import _rotation_x_onto

    frame = _rotation_x_onto(np.array(axis))
    np.testing.assert_allclose(frame[:, 0], axis, atol=1e-12)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    assert rotation_about(np.array(axis), 0.1) @ frame[:, 0] == pytest.approx(np.array(axis))
