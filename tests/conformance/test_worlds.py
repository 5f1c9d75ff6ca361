"""Conformance tests of batched worlds: a policy meets the same physics in all engines."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import EngineError
from cousins.geometry import Array, rigid, rotation_about, rotation_from_quat_wxyz, transform
from cousins.plugins import backend_names, load_backend
from cousins.reconstruct.assets import Asset, Joint
from cousins.scene.looks import Look
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import Cousin, GoalSpec
from sim.bodies import Body, build
from sim.bodies.controllers import Controller, ee_delta
from sim.physics.engine import GRAVITY_M_S2
from sim.physics.simple_assets import (
    articulated_asset,
    box_piece,
    hull_piece,
    make_link,
    make_scene,
    place,
    rigid_asset,
    slab,
    sphere_piece,
)
from sim.worlds import ROBOT_NAME, State, Worlds, slots_of
from tests.sim.worlds_for_tests import quick_pusher, swing

HALF_M = 0.05
BASE_M = (-0.4, 0.0, 0.0)
STOP = np.zeros((1, 2))
Make = Callable[..., Worlds]


class Scenes:
    """A source of cousins made by hand; the body stands on the floor and looks along x."""

    def __init__(self, *scenes: Scene, base_m: tuple[float, float, float] = BASE_M, yaw_rad: float = 0.0) -> None:
        self.digest = "by hand " + " ".join(str(id(scene)) for scene in scenes)
        self.scenes = scenes
        self.task = GoalSpec(target="", goal_m=BASE_M, goal_radius_m=0.1, robot_base_m=base_m, robot_yaw_rad=yaw_rad)

    def cousin(self, index: int) -> Cousin:
        return Cousin(
            index=index,
            split="train",
            objects=(),
            structures=(),
            relations=(),
            look=Look(),
            task=self.task,
            distances={},
        )

    def scene(self, index: int) -> Scene:
        return self.scenes[index]


@pytest.fixture(params=[name for name in backend_names("sim.worlds.backends") if name != "fake"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(engine: str) -> Iterator[Make]:
    """Return a maker of worlds that are closed at the end, each row showing the first cousin."""
    built: list[Worlds] = []

    def worlds(source: Scenes, *, rows: int = 1, body: Body | None = None, **config: object) -> Worlds:
        module = load_backend("sim.worlds.backends", engine, kind="engine")
        slots = slots_of(source, range(len(source.scenes)))
        built.append(
            module.build(source, body or quick_pusher(), rows=rows, slots=slots, config=module.Config(**config))
        )
        for row in range(rows):
            built[-1].load_cousin(row, 0)
        return built[-1]

    yield worlds
    for batch in built:
        batch.close()


def cube(name: str = "cube", *, hull: bool = False, **values: float) -> Asset:
    box = box_piece([0.1, 0.1, 0.1])
    return rigid_asset(name, [hull_piece(box.mesh.vertices) if hull else box], **values)


def on_floor(asset: Asset, x: float = 0.0, y: float = 0.0, *, fixed: bool = False) -> PlacedAsset:
    return replace(place(asset, x, y, HALF_M), fixed=fixed)


def run(worlds: Worlds, duration_s: float, command: Sequence[float] = (0.0, 0.0)) -> State:
    """Step all rows under one command, a twentieth of a second at a time; nothing may break."""
    for _ in range(round(duration_s / 0.05)):
        faults = worlds.step(
            np.tile(np.asarray(command, dtype=float), (worlds.size, 1)), round(0.05 / worlds.timestep_s)
        )
        assert faults == [""] * worlds.size
    return worlds.read()


def bits(state: State, row: int) -> bytes:
    return b"".join(np.ascontiguousarray(getattr(state, name)[row]).tobytes() for name in State.__slots__)


def cabinet() -> Asset:
    """Return a frame with a drawer that hangs down along -z and a flap that hangs down about y."""
    frame = make_link("frame", [box_piece([0.4, 0.4, 0.02])], mass_kg=50.0)
    drawer = make_link("drawer", [box_piece([0.05, 0.05, 0.05])], mass_kg=0.2)
    flap = make_link("flap", [box_piece([0.1, 0.02, 0.02], center_m=(0.05, 0.0, 0.0))], mass_kg=0.1)
    slide = Joint(
        name="slide",
        kind="prismatic",
        parent="frame",
        child="drawer",
        parent_from_child=rigid(None, np.array([0.1, 0.05, 0.4])),
        axis=np.array([0.0, 0.0, -1.0]),
        upper=0.15,
    )
    hinge = Joint(
        name="hinge",
        kind="revolute",
        parent="frame",
        child="flap",
        parent_from_child=rigid(None, np.array([-0.1, 0.0, 0.4])),
        axis=np.array([0.0, 1.0, 0.0]),
        lower=-0.2,
        upper=0.8,
        damping=0.001,
    )
    return articulated_asset("cabinet", [frame, drawer, flap], joints=[slide, hinge])


def clutter(number: int) -> Scene:
    """Return a scene in the body's way; the first has a cube, a stack and a cabinet, the second other things."""
    size = 0.1 + 0.02 * number
    halves = [hull_piece(box_piece([0.05, 0.1, 0.1], center_m=(x, 0.0, 0.0)).mesh.vertices) for x in (-0.025, 0.025)]
    near = rigid_asset("cube", [box_piece([size, size, 0.1])], mass_kg=0.3 + 0.2 * number)
    top = rigid_asset("top", halves, mass_kg=0.1)
    objects = [on_floor(near, -0.25, 0.02), place(top, -0.25, 0.02, 3 * HALF_M)]
    objects += [place(rigid_asset("ball", [sphere_piece(0.04)]), 0.1, -0.2, 0.04)] if number else []
    objects += [] if number else [replace(place(cabinet(), 0.6, 0.5, 0.2), fixed=True)]
    return make_scene(*objects, structures=[slab(friction=0.4 + 0.2 * number)])


def wander(rows: int, steps: int, seed: int = 0) -> Array:
    """Return random commands [steps, rows, 2] that push into what stands there."""
    return np.random.default_rng(seed).uniform([-0.1, -0.3], [0.5, 0.3], (steps, rows, 2))


def roll(worlds: Worlds, commands: Array) -> list[list[bytes]]:
    """Return the bits of each row after each command."""
    bits_by_step = []
    for command in commands:
        assert worlds.step(command, 12) == [""] * worlds.size
        state = worlds.read()
        bits_by_step.append([bits(state, row) for row in range(worlds.size)])
    return bits_by_step


def test_what_is_free_falls_as_gravity_says(make: Make) -> None:
    state = run(make(Scenes(make_scene(place(cube(), 1.0, 0.0, 5.0)))), 0.5)
    assert 5.0 - state.position_m[0, 0, 2] == pytest.approx(0.5 * GRAVITY_M_S2 * 0.25, rel=0.02)
    assert state.velocity[0, 0] == pytest.approx([0, 0, -GRAVITY_M_S2 * 0.5, 0, 0, 0], abs=1e-6)


def test_what_rests_stays_where_it_is(make: Make) -> None:
    worlds = make(Scenes(clutter(0)))
    start = worlds.read()
    state = run(worlds, 1.0)
    assert state.position_m == pytest.approx(start.position_m, abs=3e-4)
    assert not state.touched.any()


def test_what_slept_wakes_when_it_is_touched(make: Make) -> None:
    """A stack rests for three seconds; then the body pushes the lower cube and carries the upper one along."""
    cubes = [on_floor(cube(mass_kg=0.3), -0.25), place(cube("upper", mass_kg=0.1), -0.25, 0.0, 3 * HALF_M)]
    worlds = make(Scenes(make_scene(*cubes)))
    start = run(worlds, 0.1)
    rested = run(worlds, 2.9)
    assert rested.position_m == pytest.approx(start.position_m, abs=3e-4)
    state = run(worlds, 1.0, (0.3, 0.0))
    ahead = state.tip_position_m[0, 0] + 0.015 + HALF_M
    assert ahead > -0.2
    assert state.position_m[0, 0, 0] == pytest.approx(ahead, abs=5e-3)
    assert state.position_m[0, 1, 0] == pytest.approx(ahead, abs=0.02)
    worlds.place(0, "cube", rigid(None, np.array([3.0, 3.0, HALF_M])))
    assert run(worlds, 1.0).position_m[0, 1, 2] < 2.0 * HALF_M


@pytest.mark.parametrize("mass_kg", [4.0, 8.0])
def test_a_push_at_the_force_limit_speeds_up_what_it_pushes_by_its_mass(make: Make, mass_kg: float) -> None:
    block = cube(mass_kg=mass_kg, friction=0.02)
    worlds = make(Scenes(make_scene(on_floor(block, -0.32), structures=[slab(friction=0.02)])))
    run(worlds, 0.25, (0.2, 0.0))
    before = run(worlds, 0.05, (0.5, 0.0))
    after = run(worlds, 0.1, (0.5, 0.0))
    assert before.touched[0, 0]
    assert after.touched[0, 0]
    friction = 0.02 * mass_kg * GRAVITY_M_S2
    pushed_kg = mass_kg + sum(part.mass_kg.value for part in worlds.body.asset.links[1:])
    gained = after.velocity[0, 0, 0] - before.velocity[0, 0, 0]
    assert gained / 0.1 == pytest.approx((worlds.body.drives[0].max_force - friction) / pushed_kg, rel=0.15)


@pytest.mark.parametrize("friction", [0.3, 0.6])
def test_a_block_sticks_inside_the_friction_cone_and_slides_outside(make: Make, friction: float) -> None:
    moved = []
    for factor in (0.85, 1.15):
        angle = np.arctan(factor * friction)
        turn = rigid(rotation_about(np.array([0.0, 1.0, 0.0]), angle))
        flat = slab(friction=friction)
        hull = hull_piece(transform(turn, flat.pieces[0].mesh.vertices))
        slope = replace(flat, visual=flat.visual.transformed(turn), pieces=(hull,))
        block = cube(hull=True, friction=friction)
        middle = turn @ rigid(None, np.array([0.0, 0.0, HALF_M]))
        scene = make_scene(place(block, *middle[:3, 3], rotation=turn[:3, :3]), structures=[slope])
        worlds = make(Scenes(scene, base_m=(0.0, 0.0, 3.0)))
        start = worlds.read().position_m[0, 0]
        moved.append(float(np.linalg.norm(run(worlds, 1.0).position_m[0, 0] - start)))
    assert moved[0] < 0.003
    assert moved[1] == pytest.approx(0.5 * GRAVITY_M_S2 * (np.sin(angle) - friction * np.cos(angle)), rel=0.15)


@pytest.mark.parametrize("restitution", [0.0, 0.8])
def test_a_ball_bounces_no_higher_than_its_restitution_says(make: Make, engine: str, restitution: float) -> None:
    ball = rigid_asset("ball", [sphere_piece(HALF_M)], restitution=restitution)
    floor = slab(restitution=restitution)
    worlds = make(Scenes(make_scene(place(ball, 1.0, 0.0, 0.5 + HALF_M), structures=[floor])))
    run(worlds, 0.4)
    height = max(float(run(worlds, 0.05).position_m[0, 0, 2]) - HALF_M for _ in range(8))
    assert height < 0.5 * (restitution + 0.15) ** 2
    if engine == "pybullet":
        assert np.sqrt(max(height, 0.0) / 0.5) == pytest.approx(restitution, abs=0.08)


def test_joints_move_along_their_axes_down_to_their_limits(make: Make) -> None:
    worlds = make(Scenes(make_scene(replace(place(cabinet(), 0.0, 0.0, 0.01), fixed=True)), base_m=(-2.0, 0.0, 0.0)))
    state = run(worlds, 0.1)
    assert worlds.slots.joints == (("cabinet", 0), ("cabinet", 1))
    assert state.joint_position[0, 0] == pytest.approx(0.5 * GRAVITY_M_S2 * 0.01, rel=0.1)
    assert state.joint_velocity[0, 0] == pytest.approx(GRAVITY_M_S2 * 0.1, rel=0.05)
    state = run(worlds, 1.5)
    assert state.joint_position[0] == pytest.approx([0.15, 0.8], abs=0.02)
    assert state.position_m[0, 0] == pytest.approx([0.0, 0.0, 0.01], abs=1e-6)
    worlds.set_joint(0, 1, 0.3)
    assert worlds.read().joint_position[0, 1] == pytest.approx(0.3, abs=1e-9)
    assert worlds.read().joint_velocity[0, 1] == 0.0


def test_drives_reach_their_target_velocity_up_to_their_limit(make: Make) -> None:
    worlds = make(Scenes(make_scene(place(cube(), 3.0, 3.0, HALF_M))))
    state = run(worlds, 0.2, (0.3, -0.2))
    assert state.drive_velocity[0] == pytest.approx([0.3, -0.2], abs=2e-3)
    state = run(worlds, 0.4, (5.0, 0.0))
    assert state.drive_velocity[0] == pytest.approx([worlds.body.drives[0].max_speed, 0.0], abs=2e-3)
    state = run(worlds, 0.2)
    assert state.drive_velocity[0] == pytest.approx([0.0, 0.0], abs=2e-3)


def test_drives_stop_at_their_force_limit(make: Make) -> None:
    """A wall stops the body, and so does a block whose friction is more than the drive can push."""
    for wall in (on_floor(cube(), -0.3, fixed=True), on_floor(cube(mass_kg=8.0, friction=0.7), -0.3)):
        worlds = make(Scenes(make_scene(wall, structures=[slab(friction=0.7)])))
        state = run(worlds, 0.6, (0.5, 0.0))
        assert state.drive_position[0, 0] == pytest.approx(0.035, abs=0.003)
        assert state.drive_velocity[0, 0] == pytest.approx(0.0, abs=5e-3)
        assert state.position_m[0, 0, 0] == pytest.approx(-0.3, abs=2e-3)
        assert state.touched[0, 0]
        assert {ROBOT_NAME, "cube"} in [{contact.first, contact.second} for contact in worlds.contacts(0)]


@pytest.mark.parametrize(("gap_m", "touches"), [(0.0005, True), (0.003, False)])
def test_what_is_within_a_millimetre_is_touched(make: Make, gap_m: float, touches: bool) -> None:  # noqa: FBT001
    worlds = make(Scenes(make_scene(on_floor(cube(), -0.2), on_floor(cube("far"), 0.5))))
    worlds.set_drives(0, np.array([0.2 - HALF_M - 0.015 - gap_m, 0.0]))
    worlds.step(STOP, 1)
    assert worlds.read().touched.tolist() == [[touches, False]]


@pytest.mark.parametrize("name", ["gripper", "panda"])
def test_a_body_carries_its_own_weight(make: Make, name: str) -> None:
    """Even drives that can hold a tenth of a gram hold it."""
    body = build(name)
    feeble = replace(body, drives=tuple(replace(drive, max_force=1e-3) for drive in body.drives))
    worlds = make(Scenes(make_scene(place(cube(), 3.0, 3.0, HALF_M))), body=feeble)
    start = worlds.read()
    state = run(worlds, 0.5, np.zeros(len(worlds.body.drives)).tolist())
    assert state.drive_position == pytest.approx(start.drive_position, abs=2e-4)


def test_the_tip_is_where_the_drives_put_it(make: Make) -> None:
    base_m, yaw = (0.3, -0.2, 0.1), 0.6
    worlds = make(Scenes(make_scene(place(cube(), 3.0, 3.0, HALF_M)), base_m=base_m, yaw_rad=yaw))
    start = worlds.read()
    worlds.set_drives(0, np.array([0.4, -0.3]))
    state = worlds.read()
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), yaw)
    assert state.drive_position[0] == pytest.approx([0.4, -0.3], abs=1e-9)
    assert state.tip_position_m[0] - start.tip_position_m[0] == pytest.approx(turn @ [0.4, -0.3, 0.0], abs=1e-6)
    assert start.tip_position_m[0] == pytest.approx([0.3, -0.2, 0.105], abs=1e-6)
    assert rotation_from_quat_wxyz(state.tip_quat_wxyz[0])[:, 2] == pytest.approx([0.0, 0.0, -1.0], abs=1e-6)


def test_what_is_placed_lies_where_it_was_put_and_is_at_rest(make: Make) -> None:
    lopsided = rigid_asset("lopsided", [box_piece([0.3, 0.1, 0.02], center_m=(0.05, 0.0, 0.01))])
    worlds = make(Scenes(make_scene(place(lopsided, 0.0, 0.0, 1.0))))
    run(worlds, 0.1)
    pose = rigid(rotation_about(np.array([1.0, 2.0, 3.0]), 2.5), np.array([0.3, -0.2, 1.7]))
    worlds.place(0, "lopsided", pose)
    state = worlds.read()
    assert state.position_m[0, 0] == pytest.approx(pose[:3, 3], abs=1e-9)
    assert rotation_from_quat_wxyz(state.quat_wxyz[0, 0]) == pytest.approx(pose[:3, :3], abs=1e-9)
    assert not state.velocity.any()


def test_a_cousin_that_is_shown_again_has_the_same_future_bit_for_bit(make: Make) -> None:
    worlds, commands = make(Scenes(clutter(0), clutter(1))), wander(1, 12)
    first = roll(worlds, commands)
    worlds.load_cousin(0, 0)
    assert roll(worlds, commands) == first
    worlds.load_cousin(0, 1)
    roll(worlds, commands)
    worlds.load_cousin(0, 0)
    assert roll(worlds, commands) == first
    worlds.step(np.full((1, 2), np.nan), 12)
    worlds.load_cousin(0, 0)
    assert roll(worlds, commands) == first


def test_a_snapshot_brings_back_the_same_future_bit_for_bit(make: Make) -> None:
    worlds, commands = make(Scenes(clutter(0), clutter(1))), wander(1, 16)
    roll(worlds, commands[:8])
    snapshot = worlds.snapshot(0)
    future = roll(worlds, commands[8:])
    assert worlds.read().touched.any() or worlds.read().velocity.any()
    worlds.restore(0, snapshot)
    assert roll(worlds, commands[8:]) == future
    worlds.load_cousin(0, 1)
    with pytest.raises(EngineError, match="snapshot"):
        worlds.restore(0, snapshot)
    worlds.load_cousin(0, 0)
    worlds.restore(0, snapshot)
    assert roll(worlds, commands[8:]) == future


def test_a_batch_of_one_equals_a_row_of_many(make: Make) -> None:
    source, commands = Scenes(clutter(0), clutter(1)), wander(3, 8)
    batch = make(source, rows=3)
    batch.load_cousin(1, 1)
    expected = roll(batch, commands)
    for row, index in enumerate((0, 1, 0)):
        single = make(source)
        single.load_cousin(0, index)
        assert [step[0] for step in roll(single, commands[:, row : row + 1])] == [step[row] for step in expected]


def test_another_cousin_in_one_row_leaves_the_others_alone(make: Make) -> None:
    source, commands = Scenes(clutter(0), clutter(1)), wander(2, 10)
    worlds = make(source, rows=2)
    first = [step[1] for step in roll(worlds, commands)]
    for row in range(2):
        worlds.load_cousin(row, 0)
    second = [step[1] for step in roll(worlds, commands[:5])]
    worlds.load_cousin(0, 1)
    second += [step[1] for step in roll(worlds, commands[5:])]
    assert second == first
    assert [worlds.cousin_index(row) for row in range(2)] == [1, 0]


def test_what_a_cousin_lacks_is_absent_and_holds_zeros(make: Make) -> None:
    worlds = make(Scenes(clutter(0), clutter(1)), rows=2)
    worlds.load_cousin(1, 1)
    state = run(worlds, 0.1)
    assert worlds.slots.objects == ("cube", "top", "cabinet", "ball")
    assert state.present.tolist() == [[True, True, True, False], [True, True, False, True]]
    for row, column in ((0, 3), (1, 2)):
        for array in (state.position_m, state.quat_wxyz, state.velocity, state.touched):
            assert not array[row, column].any()
    assert state.joint_position[0].all()
    assert not state.joint_position[1].any()
    with pytest.raises(EngineError, match="ball"):
        worlds.place(0, "ball", np.eye(4))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_an_impossible_command_is_reported_and_stops_only_its_row(make: Make, value: float) -> None:
    worlds, command = make(Scenes(clutter(0)), rows=2), np.zeros((2, 2))
    command[0, 1] = value
    faults = worlds.step(command, 12)
    assert faults[0].startswith("the command of drive")
    assert faults[1] == ""
    stopped = bits(worlds.read(), 0)
    later_faults = worlds.step(np.full((2, 2), 0.2), 12)
    assert later_faults == [faults[0], ""]
    state = worlds.read()
    assert bits(state, 0) == stopped
    assert state.drive_velocity[0, 0] == 0.0
    assert state.drive_velocity[1, 0] > 0.05
    worlds.load_cousin(0, 0)
    assert worlds.step(np.zeros((2, 2)), 12) == ["", ""]


def test_a_state_that_explodes_is_reported_and_leaves_the_other_rows_alone(make: Make) -> None:
    """A cube three hundred metres inside the earth shoots out."""
    earth = slab(size_m=(4000.0, 4000.0, 2000.0))
    source, commands = Scenes(make_scene(on_floor(cube(), -0.25), structures=[earth])), wander(2, 6)
    undisturbed = [step[1] for step in roll(make(source, rows=2), commands)]
    worlds = make(source, rows=2)
    worlds.place(0, "cube", rigid(None, np.array([0.0, 0.0, -300.0])))
    undisturbed_row = []
    for command in commands:
        faults = worlds.step(command, 12)
        assert faults[1] == ""
        undisturbed_row.append(bits(worlds.read(), 1))
    assert "exploded" in faults[0]
    assert undisturbed_row == undisturbed
    worlds.load_cousin(0, 0)
    assert run(worlds, 0.1).position_m[0, 0] == pytest.approx([-0.25, 0.0, HALF_M], abs=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(make: Make, value: float) -> None:
    worlds = make(Scenes(clutter(0)))
    with pytest.raises(EngineError, match="the pose of cube holds NaN or infinity"):
        worlds.place(0, "cube", rigid(None, np.array([0.0, value, 1.0])))
    with pytest.raises(EngineError, match="holds NaN or infinity"):
        worlds.set_joint(0, 0, value)
    with pytest.raises(EngineError, match="holds NaN or infinity"):
        worlds.set_drives(0, np.array([0.0, value]))


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (make_scene(on_floor(cube(mass_kg=0.0))), "link base of cube has mass 0 kg"),
        (
            make_scene(on_floor(cube(), 0.3), on_floor(cube("other"), 0.35)),
            r"(cube and other|other and cube) overlap by 50 mm at the start",
        ),
    ],
    ids=["no mass", "overlap"],
)
def test_a_cousin_that_is_refused_leaves_a_row_that_shows_nothing(make: Make, scene: Scene, message: str) -> None:
    worlds = make(Scenes(make_scene(on_floor(cube())), scene), rows=2)
    with pytest.raises(EngineError, match=message):
        worlds.load_cousin(0, 1)
    assert worlds.step(np.zeros((2, 2)), 12) == ["no cousin is shown", ""]
    state = worlds.read()
    assert state.present[:, 0].tolist() == [False, True]
    assert not any(getattr(state, name)[0].any() for name in ("position_m", "quat_wxyz", "velocity", "drive_position"))
    with pytest.raises(EngineError, match="row 0 shows no cousin"):
        worlds.place(0, "cube", np.eye(4))
    worlds.load_cousin(0, 0)
    assert worlds.step(np.zeros((2, 2)), 12) == ["", ""]


@pytest.mark.parametrize("name", ["gripper", "panda"])
def test_a_hand_holds_a_box_that_it_lifts_and_swings(make: Make, name: str) -> None:
    body = build(name)
    box = rigid_asset("box", [box_piece([0.05, 0.05, 0.06])], mass_kg=0.2)
    worlds = make(Scenes(make_scene(place(box, 0.4, 0.0, 0.03)), base_m=(0.0, 0.0, 0.0)), body=body)
    arm = Controller(ee_delta(body, axes=("x", "y", "z")), body, 1)
    arm.reset(np.array([True]), worlds.read().drive_position)
    held, after = swing(worlds, arm, 0.4)
    assert np.all(np.abs(after - held) < 8e-3)
    assert worlds.read().position_m[0, 0, 2] == pytest.approx(0.2, abs=0.02)
    assert worlds.read().touched[0, 0]


def test_a_worker_that_stalls_or_dies_is_replaced_and_reported(engine: str) -> None:
    module = load_backend("sim.worlds.backends", engine, kind="engine")
    if not hasattr(module.Config(), "workers"):
        pytest.skip(f"{engine} steps its rows in this process")
    source, commands = Scenes(clutter(0), clutter(1)), wander(2, 6)
    config = module.Config(workers=2, stall_s=3.0)
    slots = slots_of(source, range(2))
    with closing(module.build(source, quick_pusher(), rows=2, slots=slots, config=module.Config())) as alone:
        for row in range(2):
            alone.load_cousin(row, row)
        expected = roll(alone, commands)
    with closing(module.build(source, quick_pusher(), rows=2, slots=slots, config=config)) as worlds:
        for row in range(2):
            worlds.load_cousin(row, row)
        assert roll(worlds, commands) == expected
        for count, (kill, cause) in enumerate(((signal.SIGKILL, "died"), (signal.SIGSTOP, "stalled for 3 s")), start=1):
            os.kill(worlds.worker_ids[0], kill)
            start_s = time.monotonic()
            faults = worlds.step(commands[0], 12)
            assert time.monotonic() - start_s < 20.0
            assert faults == [f"the worker of this row {cause} and was replaced", ""]
            assert worlds.step(commands[0], 12) == faults
            assert worlds.replaced == count
            worlds.load_cousin(0, 0)
            assert worlds.step(commands[0], 12) == ["", ""]
        for row in range(2):
            worlds.load_cousin(row, row)
        assert roll(worlds, commands) == expected
