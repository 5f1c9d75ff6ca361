"""A scene's lights and camera come back from every format that can hold them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pxr import Usd, UsdGeom, UsdLux

from cousins.errors import SceneError
from cousins.geometry import Intrinsics, look_at
from cousins.scene.checks import check_usd
from cousins.scene.io.look_json import look_record, read_look, rounded_look
from cousins.scene.io.strict_json import Node
from cousins.scene.looks import Light, Look
from cousins.scene.scene_folder import read_scene, write_scene
from cousins.scene.scenes import Scene
from tests.cousins.scene.scenes_for_tests import table_scene

CAMERA = Intrinsics(width=320, height=240, fx=310.0, fy=300.0, cx=170.5, cy=101.5)
EYE, TARGET = np.array([1.0, -0.8, 1.5]), np.array([0.0, 0.0, 0.7])
LOOK = Look(
    lights=(
        Light(direction=(0.6, 0.0, -0.8), color=(1.0, 0.8, 0.6), intensity=0.9),
        Light(direction=(0.0, 0.0, 1.0), color=(0.2, 0.2, 1.0), intensity=0.1),
    ),
    ambient=0.25,
    exposure=1.5,
    background=(0.1, 0.2, 0.3),
    camera=CAMERA,
    world_from_camera=tuple(tuple(row) for row in look_at(EYE, TARGET).tolist()),
)


def lit_scene() -> Scene:
    return replace(table_scene(), look=LOOK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lit") / "scene"
    write_scene(lit_scene(), path)
    return path


def test_a_look_comes_back_from_the_scene_folder(folder: Path) -> None:
    assert read_scene(folder).look == rounded_look(LOOK)


def test_a_scene_without_a_look_says_nothing_of_one(tmp_path: Path) -> None:
    write_scene(table_scene(), tmp_path / "scene")
    assert "look" not in json.loads((tmp_path / "scene/scene.json").read_bytes())
    text = (tmp_path / "scene/scene.xml").read_text() + (tmp_path / "scene/scene.usda").read_text()
    assert not any(word in text for word in ("light", "Light", "camera"))
    assert read_scene(tmp_path / "scene").look is None


def window(camera: Intrinsics) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the image in a plane at distance 1, y up."""
    left, right = (-0.5 - camera.cx) / camera.fx, (camera.width - 0.5 - camera.cx) / camera.fx
    return left, right, -(camera.height - 0.5 - camera.cy) / camera.fy, (0.5 + camera.cy) / camera.fy


def test_mujoco_sees_the_same_picture(folder: Path) -> None:
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    scene = mujoco.MjvScene(model, maxgeom=100)
    view = mujoco.MjvCamera()
    view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera("look__camera").id
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, view, mujoco.mjtCatBit.mjCAT_ALL, scene)
    rendered_camera = scene.camera[0]
    sides = (
        rendered_camera.frustum_center - rendered_camera.frustum_width,
        rendered_camera.frustum_center + rendered_camera.frustum_width,
    )
    frustum = (
        np.array([*sides, rendered_camera.frustum_bottom, rendered_camera.frustum_top]) / rendered_camera.frustum_near
    )
    np.testing.assert_allclose(frustum, window(CAMERA), atol=1e-5)
    forward = (TARGET - EYE) / np.linalg.norm(TARGET - EYE)
    np.testing.assert_allclose(rendered_camera.forward, forward, atol=1e-5)
    assert rendered_camera.up[2] > 0.5
    np.testing.assert_allclose(model.light("look__light_0").dir, [0.6, 0.0, -0.8], atol=1e-6)
    np.testing.assert_allclose(model.light("look__light_1").diffuse, [0.03, 0.03, 0.15], atol=1e-6)
    np.testing.assert_allclose(model.vis.headlight.ambient, [0.375] * 3, atol=1e-6)


def test_usd_sees_the_same_picture(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    camera = UsdGeom.Camera(stage.GetPrimAtPath("/World/Look/camera")).GetCamera()
    low, high = camera.frustum.GetWindow().min, camera.frustum.GetWindow().max
    np.testing.assert_allclose([low[0], high[0], low[1], high[1]], window(CAMERA), atol=1e-5)
    forward = np.array(camera.frustum.ComputeViewDirection())
    np.testing.assert_allclose(forward, (TARGET - EYE) / np.linalg.norm(TARGET - EYE), atol=1e-5)
    lamps = [UsdLux.DistantLight(stage.GetPrimAtPath(f"/World/Look/light_{index}")) for index in range(2)]
    for lamp, light in zip(lamps, LOOK.lights, strict=True):
        pose = np.array(UsdGeom.Xformable(lamp.GetPrim()).ComputeLocalToWorldTransform(0)).T
        np.testing.assert_allclose(-pose[:3, 2], light.direction, atol=1e-6)
        assert lamp.GetIntensityAttr().Get() == pytest.approx(np.pi * light.intensity)
        assert 2.0 ** lamp.GetExposureAttr().Get() == pytest.approx(1.5)


def test_usd_with_a_look_passes_the_check(folder: Path) -> None:
    assert [finding for finding in check_usd(folder / "scene.usda") if finding.severity == "error"] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(list(look_record(LOOK))), inner),
    max_leaves=8,
)


@given(json_values, st.sampled_from(list(look_record(LOOK))))
def test_any_json_is_a_look_or_refused(value: object, key: str) -> None:
    for record in (value, look_record(LOOK) | {key: value}):
        try:
            look = read_look(Node(value=record, path="look"))
        except SceneError:
            continue
        assert rounded_look(rounded_look(look)) == rounded_look(look)
