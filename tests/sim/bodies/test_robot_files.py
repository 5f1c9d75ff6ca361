"""A robot by name is one file; a robot by path, URDF or MJCF with its own hand, is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import sim.bodies.backends
from cousins.errors import CaptureError, InputError
from cousins.plugins import load_backend
from sim.bodies import Body, build, names
from sim.bodies.capabilities import capabilities_of
from sim.bodies.kinematics import tip_chain, tip_kinematics
from sim.bodies.named import capabilities_by_name
from sim.envs.make_env import make_env
from sim.tasks import build_task
from sim.worlds.worlds import slots_of
from tests.sim.tasks.scenes_for_tests import table_source
from tests.sim.worlds_for_tests import TinySource, box_scene, push_task

NEW_ROBOT = '''
"""A pusher with a thicker stick."""
from dataclasses import dataclass, replace
from sim.bodies.backends import pusher
PREFERENCE = 1
@dataclass(frozen=True, kw_only=True)
class Config:
    """How it is made."""
    radius_m: float = 0.03
def build(config):
    return replace(pusher.build(pusher.Config(radius_m=config.radius_m)), name="bulldozer")
'''
FILES = {
    "so101.xml": ("robots/so101", "so101_new_calib.xml", 1),
    "so101.urdf": ("robots/so101", "so101_new_calib.urdf", 1),
    "panda.xml": ("robots/franka_emika_panda", "panda.xml", 2),
    "panda_scene.xml": ("robots/franka_emika_panda", "scene.xml", 2),
}
ARM = """
<mujoco><compiler angle="radian"/><worldbody><body name="base"><geom type="box" size=".05 .05 .05"/>
  <body name="upper" pos="0 0 .1"><joint name="turn" axis="0 0 1" range="-3 3"/>
    <geom type="capsule" size=".02 .1" pos="0 0 .1"/>
    <body name="lower" pos="0 0 .2"><joint name="bend" axis="0 1 0" range="-2 2"/>
      <geom type="box" size=".03 .03 .1" pos="0 0 .1"/>{hand}</body></body></body></worldbody>{more}</mujoco>
"""
CLOSING_FINGERS = """
<body name="left" pos="0 .05 .2"><joint name="l" type="slide" axis="0 -1 0" range="0 .03"/>
  <geom type="box" size=".01 .005 .03" pos="0 0 .03"/></body>
<body name="right" pos="0 -.05 .2"><joint name="r" type="slide" axis="0 1 0" range="0 .03"/>
  <geom type="box" size=".01 .005 .03" pos="0 0 .03"/></body>
"""
TWO_CHAINS = """
<body name="elbow"><joint/><geom size=".01"/><body name="wrist"><joint/><geom size=".01"/></body></body>
<body name="hook"><joint/><geom size=".01"/></body>
"""


@pytest.fixture(scope="module", params=FILES)
def robot(request: pytest.FixtureRequest, shared_data: Callable[[str], Path]) -> tuple[str, Body, int]:
    folder, file, fingers = FILES[request.param]
    path = str(shared_data(folder) / file)
    return path, build(path), fingers


@pytest.fixture
def bulldozer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put one file beside those of the bodies by name."""
    (tmp_path / "bulldozer.py").write_text(NEW_ROBOT)
    monkeypatch.setattr(sim.bodies.backends, "__path__", [*sim.bodies.backends.__path__, str(tmp_path)])
    yield "bulldozer"
    sys.modules.pop("sim.bodies.backends.bulldozer", None)


def test_a_new_robot_by_name_is_one_file(bulldozer: str) -> None:
    assert bulldozer in names()
    assert build(bulldozer).asset.links[-1].pieces[0].size_m[0] == pytest.approx(0.06)
    assert build_task("push").bodies[0] == bulldozer
    assert bulldozer not in build_task("lift").bodies
    with pytest.raises(InputError, match=r"body 'bulldozer' for lift: it lacks .*expected one of gripper, panda"):
        make_env(pack=table_source(), task="lift", split=[0], body=bulldozer)
    env = make_env(pack=table_source(), task="push", split=[0])
    try:
        env.reset(seed=0)
        assert env.episodes.worlds.body.name == bulldozer
        env.step(np.zeros((1, 2)))
    finally:
        env.close()


def test_a_robot_by_path_has_arm_hand_and_limits_of_its_file(robot: tuple[str, Body, int]) -> None:
    path, body, fingers = robot
    able = capabilities_of(body)
    assert able == capabilities_by_name(path)
    assert len(body.fingers) == able.fingers == fingers
    assert able.arm_joints == (7 if fingers == 2 else 5)
    assert able.opening_m == pytest.approx(0.08 if fingers == 2 else 0.13, abs=0.005)
    assert sum(link.mass_kg.value for link in body.asset.links) == pytest.approx(
        17.45 if fingers == 2 else 0.632, abs=0.01
    )
    home = np.array([[drive.home for drive in body.drives]])
    tip = tip_kinematics(tip_chain(body), home).base_from_tip[0]
    assert tip[2, 2] < -0.9, "the hand does not point down"
    assert 0.1 < tip[0, 3] < 0.7
    assert tip[2, 3] > 0.05


def test_the_recognised_panda_is_the_named_one_but_for_millimetres_of_its_tip(
    shared_data: Callable[[str], Path],
) -> None:
    named, read = build("panda"), build(str(shared_data("robots/franka_emika_panda") / "panda.xml"))
    assert read.fingers == named.fingers
    assert read.tip == named.tip
    np.testing.assert_allclose(read.link_from_tip[:3, :3], named.link_from_tip[:3, :3], atol=1e-6)
    np.testing.assert_allclose(read.link_from_tip[:3, 3], named.link_from_tip[:3, 3], atol=0.005)
    for named_joint, read_joint in zip(named.asset.joints, read.asset.joints, strict=True):
        assert (named_joint.name, named_joint.lower, named_joint.upper) == (
            read_joint.name,
            read_joint.lower,
            read_joint.upper,
        )


def test_the_so101_has_one_tip_in_both_formats(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("robots/so101")
    urdf, mjcf = (build(str(folder / f"so101_new_calib.{ending}")) for ending in ("urdf", "xml"))
    np.testing.assert_allclose(urdf.link_from_tip[:3, 3], mjcf.link_from_tip[:3, 3], atol=1e-4)
    np.testing.assert_allclose(urdf.link_from_tip[:3, 2], mjcf.link_from_tip[:3, 2], atol=1e-3)


@pytest.mark.parametrize("engine", ["mujoco", "pybullet"])
def test_a_robot_by_path_runs_in_both_engines(robot: tuple[str, Body, int], engine: str) -> None:
    _, body, _ = robot
    source = TinySource(scenes={0: box_scene(0.05)}, tasks={0: push_task()})
    module = load_backend("sim.worlds.backends", engine, kind="engine")
    with closing(module.build(source, body, rows=1, slots=slots_of(source, [0]), config=module.Config())) as worlds:
        worlds.load_cousin(0, 0)
        substeps = round(0.05 / worlds.timestep_s)
        for _ in range(10):
            assert worlds.step(np.zeros((1, len(body.drives))), substeps) == [""]
        state = worlds.read()
        home = np.array([drive.home for drive in body.drives])
        np.testing.assert_allclose(state.drive_position[0], home, atol=0.02)


def test_a_robot_by_path_takes_part_in_tasks(robot: tuple[str, Body, int]) -> None:
    path, body, _ = robot
    env = make_env(pack=table_source(), task="lift", split=[0], body=path)
    try:
        env.reset(seed=0)
        assert env.episodes.worlds.body.name == body.name
        _, reward, *_ = env.step(np.zeros((1, env.episodes.controller.action_size)))
        assert np.isfinite(reward).all()
    finally:
        env.close()


def test_fingers_that_close_as_their_joints_grow_are_turned_around(tmp_path: Path) -> None:
    path = tmp_path / "my arm.xml"
    path.write_text(ARM.format(hand=CLOSING_FINGERS, more=""))
    body = build(str(path))
    assert body.name == "my_arm"
    assert body.fingers == ("l", "r")
    joints = {joint.name: joint for joint in body.asset.joints}
    assert (joints["l"].lower, joints["l"].upper) == (-0.03, 0.0)
    np.testing.assert_allclose(joints["l"].axis, [0.0, 1.0, 0.0])
    np.testing.assert_allclose(body.link_from_tip[:3, 3], [0.0, 0.0, 0.25], atol=1e-6)
    np.testing.assert_allclose(body.link_from_tip[:3, 2], [0.0, 0.0, 1.0], atol=1e-6)
    assert capabilities_of(body).opening_m == pytest.approx(0.06)


def test_a_tip_that_is_not_recognised_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(ARM.format(hand='<site name="welder" pos="0 0 .22"/>', more=""))
    words = (
        r"no tip that is recognised in 'arm\.xml'; expected fingers, or a link or site named.*Type `arm\.xml#LINK`.*"
    )
    with pytest.raises(CaptureError, match=words + "It has .*welder"):
        build(str(path))
    body = build(f"{path}#welder")
    assert body.fingers == ()
    np.testing.assert_allclose(body.link_from_tip[:3, 3], [0.0, 0.0, 0.22])
    with pytest.raises(CaptureError, match=r"no link or site 'torch' in 'arm\.xml'.*It has .*welder"):
        build(f"{path}#torch")
    with pytest.raises(CaptureError, match=r"a tip 'upper' that is not on the hand"):
        build(f"{path}#upper")


@pytest.mark.parametrize(
    ("hand", "more", "words"),
    [
        (CLOSING_FINGERS.replace('axis="0 -1 0"', 'axis="1 0 0"'), "", "that does not close on them"),
        ('<body><joint type="ball"/><geom size=".01"/></body>', "", "a free or ball joint"),
        ("<geom/>", "", r"what MuJoCo refuses \("),
        (
            TWO_CHAINS,
            "",
            "2 chains that end in .*expected one arm with at most one hand",
        ),
    ],
)
def test_what_is_no_arm_with_a_hand_is_refused(tmp_path: Path, hand: str, more: str, words: str) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(ARM.format(hand=hand, more=more))
    with pytest.raises(CaptureError, match=words):
        build(str(path))


def test_a_path_without_a_robot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"no robot in 'arm\.urdf'; expected a robot as \.urdf, \.xml"):
        build(str(tmp_path / "arm.urdf"))
