"""Rows of cousins in MuJoCo: loading, reading, stepping, caching and faults."""

from __future__ import annotations

import gc
import re
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins.errors import EngineError
from cousins.geometry import Array, rigid, rotation_about, rotation_from_quat_wxyz
from cousins.scene.scenes import Scene
from sim.bodies import build as body_of
from sim.bodies.controllers import Controller, ee_delta
from sim.physics.simple_assets import box_piece, place, rigid_asset
from sim.worlds.backends.mujoco import Config, MujocoWorlds, build
from sim.worlds.worlds import State, Worlds, slots_of
from tests.sim.worlds.sources_for_tests import TinyCousins
from tests.sim.worlds_for_tests import quick_pusher, swing

COMMAND = 24
FIELDS = tuple(State.__dataclass_fields__)


def worlds(
    rows: int = 1, *, body: str = "pusher", source: TinyCousins | None = None, config: Config | None = None
) -> MujocoWorlds:
    source = source or TinyCousins()
    return build(source, body_of(body), rows=rows, slots=slots_of(source, (0, 1)), config=config)


def run(batch: Worlds, speeds: Array, steps: int, *, count: int = COMMAND) -> list[str]:
    for _ in range(steps):
        faults = batch.step(speeds, count)
    return faults


def same(first: State, second: State, rows: slice = slice(None)) -> bool:
    return all(np.array_equal(getattr(first, field)[rows], getattr(second, field)[rows]) for field in FIELDS)


def test_a_row_holds_a_cousin_with_the_robot_at_its_base() -> None:
    batch = worlds(2, source=TinyCousins(yaw_rad=0.5))
    batch.load_cousin(0, 0)
    batch.load_cousin(1, 3)
    now = batch.read()
    assert batch.slots.objects == ("box", "cabinet", "ball")
    assert batch.slots.joints == (("cabinet", 0), ("cabinet", 1))
    assert [batch.cousin_index(row) for row in (0, 1)] == [0, 3]
    assert now.present.tolist() == [[True, True, False], [True, True, True]]
    np.testing.assert_allclose(now.position_m[:, 0], [[0.3, 0.0, 0.03], [0.33, 0.0, 0.03]], atol=1e-9)
    np.testing.assert_allclose(now.position_m[:, 1], [[2.0, 1.0, 0.25]] * 2, atol=1e-9)
    assert not now.position_m[0, 2].any()
    assert not now.quat_wxyz[0, 2].any()
    np.testing.assert_allclose(now.tip_position_m, [[0.0, 0.0, 0.005]] * 2, atol=1e-7)
    tip = rotation_from_quat_wxyz(now.tip_quat_wxyz[0])
    np.testing.assert_allclose(tip @ [1.0, 0.0, 0.0], [np.cos(0.5), np.sin(0.5), 0.0], atol=1e-6)


def test_the_pusher_pushes_what_sleeps_and_touches_it() -> None:
    batch = worlds()
    batch.load_cousin(0, 0)
    assert run(batch, np.zeros((1, 2)), 40) == [""]
    assert not batch._rows[0].data.tree_awake[0]  # type: ignore[union-attr]
    touched = []
    for _ in range(40):
        batch.step(np.array([[0.2, 0.0]]), COMMAND)
        touched.append(bool(batch.read().touched[0, 0]))
    assert touched == [False] * touched.index(True) + [True] * (40 - touched.index(True))
    now = batch.read()
    assert not now.touched[0, 1]
    assert now.drive_position[0, 0] == pytest.approx(0.4, abs=0.01)
    assert now.position_m[0, 0, 0] == pytest.approx(0.4 + 0.015 + 0.03, abs=0.01)


def test_contacts_are_returned_by_name_also_for_sleeping_objects() -> None:
    batch = worlds()
    batch.load_cousin(0, 1)
    run(batch, np.zeros((1, 2)), 40)
    before = batch.snapshot(0)
    names = {frozenset((contact.first, contact.second)) for contact in batch.contacts(0)}
    assert names == {frozenset(("box", "floor")), frozenset(("ball", "floor"))}
    assert before == batch.snapshot(0)


def test_sleep_hardly_changes_where_a_pushed_box_ends() -> None:
    ends = []
    for sleep in (True, False):
        batch = worlds(body="pusher", config=Config(sleep=sleep))
        batch.load_cousin(0, 1)
        run(batch, np.zeros((1, 2)), 20)
        run(batch, np.array([[0.3, 0.02]]), 24)
        run(batch, np.array([[-0.3, 0.0]]), 20)
        ends.append(batch.read())
    np.testing.assert_allclose(ends[0].position_m, ends[1].position_m, atol=2e-3)


def test_a_cousin_loaded_again_moves_bit_for_bit_as_before() -> None:
    batch = worlds()
    speeds = np.array([[0.3, 0.01]])
    batch.load_cousin(0, 1)
    run(batch, speeds, 30)
    first = batch.read()
    batch.load_cousin(0, 0)
    run(batch, speeds, 7)
    batch.load_cousin(0, 1)
    run(batch, speeds, 30)
    assert same(first, batch.read())


@pytest.mark.parametrize("threads", [1, 3])
def test_a_row_moves_alone_as_among_many_whatever_the_threads(threads: int) -> None:
    rng = np.random.default_rng(0)
    batch, single = worlds(4, config=Config(threads=threads)), worlds(1)
    for row in range(4):
        batch.load_cousin(row, row % 2)
    single.load_cousin(0, 0)
    for _ in range(40):
        speeds = rng.uniform((-0.3, -0.5), (0.7, 0.5), (4, 2))
        assert batch.step(speeds, COMMAND) == [""] * 4
        single.step(speeds[2:3], COMMAND)
    state, single_state = batch.read(), single.read()
    assert all(np.array_equal(getattr(state, field)[2:3], getattr(single_state, field)) for field in FIELDS)
    batch.close()
    single.close()


def test_another_cousin_in_one_row_leaves_the_others_alone() -> None:
    first, second = worlds(2), worlds(2)
    speeds = np.array([[0.3, 0.0], [0.3, 0.0]])
    for batch in (first, second):
        batch.load_cousin(0, 1)
        batch.load_cousin(1, 1)
        run(batch, speeds, 20)
    first.load_cousin(1, 0)
    first.load_cousin(1, 5)
    run(first, speeds, 20)
    run(second, speeds, 20)
    assert same(first.read(), second.read(), slice(0, 1))
    assert first.cousin_index(1) == 5


def test_a_snapshot_brings_back_the_same_future_while_things_sleep_and_move() -> None:
    batch = worlds(2)
    batch.load_cousin(0, 1)
    batch.load_cousin(1, 1)
    speeds = np.array([[0.3, 0.01], [0.3, 0.01]])
    run(batch, speeds, 19)
    snapshot, then = batch.snapshot(0), batch.read()
    run(batch, speeds, 30)
    expected = batch.read()
    batch.restore(0, snapshot)
    assert same(then, batch.read(), slice(0, 1))
    run(batch, speeds * [[1.0], [0.0]], 30)
    assert same(expected, batch.read(), slice(0, 1))
    batch.restore(1, snapshot)
    run(batch, speeds, 30)
    assert same(expected, replace_rows(batch.read()), slice(0, 1))
    batch.load_cousin(1, 0)
    with pytest.raises(EngineError, match="row 1 shows another cousin than the snapshot"):
        batch.restore(1, snapshot)


def replace_rows(state: State) -> State:
    return replace(state, **{field: getattr(state, field)[::-1] for field in FIELDS})


def test_objects_are_placed_at_rest_and_awake() -> None:
    batch = worlds()
    batch.load_cousin(0, 1)
    run(batch, np.zeros((1, 2)), 40)
    batch.place(0, "box", rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.4), np.array([0.6, -0.2, 0.2])))
    batch.set_joint(0, 1, 0.12)
    batch.set_drives(0, np.array([0.5, 0.3]))
    now = batch.read()
    np.testing.assert_allclose(now.position_m[0, 0], [0.6, -0.2, 0.2])
    assert now.joint_position[0].tolist() == [0.0, 0.12]
    assert now.drive_position[0].tolist() == [0.5, 0.3]
    run(batch, np.zeros((1, 2)), 1, count=48)
    now = batch.read()
    assert now.position_m[0, 0, 2] == pytest.approx(0.2 - 0.5 * 9.81 * 0.1**2, abs=2e-3)
    assert now.velocity[0, 0, 2] == pytest.approx(-0.981, abs=0.01)
    with pytest.raises(EngineError, match="row 0 has no free object 'cabinet'"):
        batch.place(0, "cabinet", np.eye(4))
    with pytest.raises(EngineError, match="the pose of box holds NaN"):
        batch.place(0, "box", np.full((4, 4), np.nan))


def test_the_velocity_is_that_of_the_centre_of_mass() -> None:
    lopsided = rigid_asset(
        "bar", [box_piece((0.02, 0.02, 0.02)), box_piece((0.2, 0.02, 0.02), center_m=(0.11, 0.0, 0.0))]
    )
    source = TinyCousins(place(lopsided, 0.0, 1.0, 1.0))
    batch = build(source, quick_pusher(), rows=1, slots=slots_of(source, (0,)), config=Config(timestep_s=1e-3))
    batch.load_cousin(0, 0)
    row = batch._row(0)
    address = row.columns.root_v[2]
    row.qvel[address + 3 : address + 6] = [0.0, 0.0, 2.0]
    batch._state_changed(0)
    velocity = batch.read().velocity[0, 2]
    np.testing.assert_allclose(velocity, [0.0, 2.0 * row.columns.center_m[2, 0], 0.0, 0.0, 0.0, 2.0], atol=1e-12)
    assert row.columns.center_m[2, 0] > 0.09


def test_a_broken_row_is_reported_stops_and_leaves_the_others_alone() -> None:
    batch = worlds(3)
    for row in range(3):
        batch.load_cousin(row, 1)
    run(batch, np.zeros((3, 2)), 2)
    row = batch._row(1)
    row.qvel[row.columns.root_v[0]] = 1e6
    batch._state_changed(1)
    faults = batch.step(np.array([[np.nan, 0.0], [0.1, 0.0], [900.0, 0.0]]), COMMAND)
    assert faults[0] == "the command of drive x is nan"
    assert re.fullmatch(r"box exploded: .*e\+05 m/s or rad/s after a step", faults[1])
    assert faults[2] == ""
    now = batch.read()
    assert all(np.isfinite(getattr(now, field)).all() for field in FIELDS)
    assert now.drive_velocity[2, 0] <= 0.5 + 1e-9
    assert run(batch, np.full((3, 2), 0.1), 5) == faults
    assert same(now, batch.read(), slice(0, 2))
    with pytest.raises(EngineError, match="row 0 is broken: the command of drive x is nan"):
        batch.snapshot(0)
    batch.load_cousin(0, 1)
    assert batch.step(np.zeros((3, 2)), 1)[0] == ""


def test_a_cousin_that_cannot_be_loaded_is_reported_by_name() -> None:
    batch = worlds()
    with pytest.raises(EngineError, match="row 0 shows no cousin"):
        batch.cousin_index(0)
    assert batch.step(np.zeros((1, 2)), 1) == ["no cousin is shown"]
    overlapping = worlds(
        source=TinyCousins(place(rigid_asset("inside", [box_piece((0.06, 0.06, 0.06))]), 0.31, 0.0, 0.03))
    )
    with pytest.raises(EngineError, match="box and inside overlap by 50 mm at the start"):
        overlapping.load_cousin(0, 0)
    massless = rigid_asset("air", [box_piece((0.06, 0.06, 0.06))])
    links = (replace(massless.links[0], mass_kg=replace(massless.links[0].mass_kg, value=0.0, low=0.0)),)
    with pytest.raises(EngineError, match="air has mass 0 kg"):
        worlds(source=TinyCousins(place(replace(massless, links=links), 0.0, 1.0, 0.03))).load_cousin(0, 0)


def test_drives_hold_their_speed_and_give_in_beyond_their_force() -> None:
    wall = rigid_asset("wall", [box_piece((0.1, 1.0, 0.5))], mass_kg=500.0)
    source = TinyCousins(place(wall, 0.55, 0.0, 0.25))
    batch = build(source, quick_pusher(), rows=1, slots=slots_of(source, (0,)))
    batch.load_cousin(0, 0)
    run(batch, np.array([[0.25, -0.3]]), 6)
    np.testing.assert_allclose(batch.read().drive_velocity[0], [0.25, -0.3], atol=1e-6)
    run(batch, np.array([[0.5, 0.0]]), 40)
    assert batch.read().position_m[0, 2, 0] == pytest.approx(0.55, abs=1e-3)
    assert abs(batch.read().drive_velocity[0, 0]) < 1e-3
    assert batch._row(0).data.actuator_force[0] == pytest.approx(10.0)


@pytest.mark.parametrize("name", ["gripper", "panda"])
def test_a_hand_carries_its_own_weight_and_holds_a_box_that_it_swings(name: str) -> None:
    body, source = body_of(name), TinyCousins()
    batch = build(source, body, rows=1, slots=slots_of(source, (0,)))
    batch.load_cousin(0, 0)
    start = batch.read()
    run(batch, np.zeros((1, len(body.drives))), 20)
    np.testing.assert_allclose(batch.read().drive_position, start.drive_position, atol=1e-4)
    arm = Controller(ee_delta(body, axes=("x", "y", "z")), body, 1)
    arm.reset(np.array([True]), start.drive_position)
    held, after = swing(batch, arm, 0.3)
    assert np.all(np.abs(after - held) < [6e-3, 2e-4, 1e-3])
    assert batch.read().position_m[0, 0, 2] == pytest.approx(0.2, abs=0.01)
    assert batch.read().touched[0, 0]


def test_a_rejected_cousin_leaves_a_row_without_a_cousin() -> None:
    class Broken(TinyCousins):
        def scene(self, index: int) -> Scene:
            if index == 7:
                raise EngineError("no such luck", engine="mujoco")
            return super().scene(index)

    batch = worlds(2, source=Broken())
    batch.load_cousin(0, 1)
    batch.load_cousin(1, 1)
    run(batch, np.full((2, 2), 0.1), 3)
    with pytest.raises(EngineError, match="no such luck"):
        batch.load_cousin(0, 7)
    now = batch.read()
    assert now.present.tolist() == [[False] * 3, [True] * 3]
    assert not any(getattr(now, field)[0].any() for field in ("position_m", "quat_wxyz", "velocity", "drive_position"))
    assert batch.step(np.zeros((2, 2)), 1) == ["no cousin is shown", ""]
    batch.load_cousin(0, 1)
    assert batch.read().present.all()


def test_models_are_compiled_once_kept_within_bounds_and_read_back_from_disk(tmp_path: Path) -> None:
    source = TinyCousins()
    batch = worlds(2, source=source, config=Config(folder=tmp_path))
    requests_before = len(source.requested)
    for index in (0, 1, 0, 1):
        batch.load_cousin(0, index)
        batch.load_cousin(1, index)
    assert batch.models.compiled == 2
    assert source.requested[requests_before:] == [0, 1]
    run(batch, np.full((2, 2), 0.3), 20)
    other = worlds(2, source=TinyCousins(), config=Config(folder=tmp_path, cache_mb=0.0))
    for index in (0, 1, 0, 1):
        other.load_cousin(0, index)
        other.load_cousin(1, index)
    assert other.models.compiled == 0
    run(other, np.full((2, 2), 0.3), 20)
    assert same(batch.read(), other.read())
    assert len(list(tmp_path.iterdir())) == 2
    third = worlds(1, source=TinyCousins(), config=Config(folder=tmp_path, sleep=False))
    third.load_cousin(0, 0)
    assert third.models.compiled == 1


def test_a_cousin_that_is_forgotten_leaves_no_memory_behind_for_a_collection_to_find() -> None:
    batch = worlds(config=Config(cache_mb=0.0))
    batch.load_cousin(0, 0)
    left = weakref.ref(batch._row(0))
    gc.collect()
    gc.disable()
    try:
        batch.load_cousin(0, 1)
        assert left() is None
    finally:
        gc.enable()


def test_a_damaged_model_on_disk_is_compiled_again(tmp_path: Path) -> None:
    config = Config(folder=tmp_path, cache_mb=0.0)
    worlds(config=config).load_cousin(0, 0)
    (path,) = tmp_path.iterdir()
    intact = path.read_bytes()
    for damaged in (b"", b"x" * 100, intact[: len(intact) // 2]):
        path.write_bytes(damaged)
        batch = worlds(config=config)
        batch.load_cousin(0, 0)
        assert batch.models.compiled == 1
        assert path.read_bytes() == intact


def test_a_fault_leaves_no_file_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    batch = worlds()
    batch.load_cousin(0, 0)
    batch._row(0).qvel[:] = np.nan
    assert batch.step(np.zeros((1, 2)), 3) == ["the state of box holds NaN or infinity"]
    assert list(tmp_path.iterdir()) == []
