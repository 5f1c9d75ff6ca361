"""What cannot stand by itself is joined to the world in every format."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from pxr import Usd, UsdPhysics

from cousins.errors import SceneError
from cousins.scene.checks import check
from cousins.scene.scene_folder import read_scene, write_scene
from cousins.scene.scenes import Scene
from tests.cousins.scene.scenes_for_tests import table_scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The table scene with its cabinet and its bowl fixed."""
    held = ("cabinet", "bowl")
    return replace(
        table_scene(),
        objects=tuple(replace(placed, fixed=placed.asset.name in held) for placed in table_scene().objects),
    )


@pytest.fixture(scope="module")
def folder(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scenes") / "fixed"
    write_scene(scene, place)
    return place


def test_a_fixed_object_is_read_back_fixed(folder: Path) -> None:
    assert {link.asset.name: link.fixed for link in read_scene(folder).objects} == {
        "cabinet": True,
        "box": False,
        "bowl": True,
    }


def test_the_urdf_joins_it_by_a_fixed_joint(folder: Path) -> None:
    kinds = {joint.attrib["name"]: joint.attrib["type"] for joint in ET.parse(folder / "scene.urdf").iter("joint")}
    assert [kinds[f"world__{name}"] for name in ("cabinet", "box", "bowl")] == ["fixed", "floating", "fixed"]


def test_it_does_not_move_in_the_mjcf_but_its_joints_do(folder: Path) -> None:
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    free = [
        model.joint(index).name for index in range(model.njnt) if model.jnt_type[index] == mujoco.mjtJoint.mjJNT_FREE
    ]
    assert free == ["box__free"]
    assert model.njnt == 3
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    before = data.body("bowl").xpos.copy()
    mujoco.mj_step(model, data, 200)
    np.testing.assert_array_equal(data.body("bowl").xpos, before)


def test_usd_makes_it_kinematic_or_joins_its_root_to_the_world(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    bodies = {
        prim.GetName(): UsdPhysics.RigidBodyAPI(prim)
        for prim in stage.Traverse()
        if prim.HasAPI(UsdPhysics.RigidBodyAPI)
    }
    assert bodies["bowl"].GetKinematicEnabledAttr().Get() is True
    assert bodies["box"].GetKinematicEnabledAttr().Get() is not True
    joint = UsdPhysics.FixedJoint(stage.GetPrimAtPath("/World/Objects/cabinet/held"))
    (root,) = joint.GetBody1Rel().GetTargets()
    assert stage.GetPrimAtPath(root).HasAPI(UsdPhysics.ArticulationRootAPI)
    assert joint.GetBody0Rel().GetTargets() == []


def test_a_scene_with_fixed_objects_has_no_findings(folder: Path) -> None:
    assert [finding for finding in check(folder) if finding.severity != "info"] == []


def test_a_word_in_place_of_true_or_false_is_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "scene.json").read_text().replace('"fixed": true', '"fixed": "yes"', 1)
    copy = shutil.copytree(folder, tmp_path / "scene")
    (copy / "scene.json").write_text(text)
    with pytest.raises(SceneError, match="expected true or false"):
        read_scene(copy)
