"""PyBullet's worlds beyond the conformance tests: reset clients, shared shapes, workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from cousins.errors import EngineError
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from sim.bodies import build as body_of
from sim.physics.bullet_bodies import BodyPlan
from sim.physics.bullet_client import BulletClient
from sim.physics.engine import Contact
from sim.physics.simple_assets import box_piece, hull_piece, make_scene, place, rigid_asset, slab
from sim.worlds.backends.pybullet import Config, PyBulletWorlds, build
from sim.worlds.bullet_rows import compensated_weights
from sim.worlds.faults import clip_commands, explosion_fault, require_apart
from sim.worlds.worlds import slots_of
from tests.sim.worlds_for_tests import cousin_of, push_task, quick_pusher

BASE = push_task().robot_base_m


class Stacks:
    """A source of two hulls in the pusher's way; the second cousin has a larger one, the third another floor."""

    digest = "stacks"

    def __init__(self, name: str = "box") -> None:
        self.name = name

    def cousin(self, index: int) -> Cousin:
        return cousin_of(self.scene(index), index, push_task())

    def scene(self, index: int) -> Scene:
        hull = hull_piece(box_piece([0.06 + 0.02 * index, 0.06, 0.06]).mesh.vertices)
        spots = [(BASE[0] + 0.15, 0.0, BASE[2] + 0.03), (BASE[0] + 0.15, 0.0, BASE[2] + 0.09)]
        objects = [place(rigid_asset(f"{self.name}_{i}", [hull]), *spot) for i, spot in enumerate(spots)]
        ground = slab(size_m=(4.0 + (index == 2), 4.0, 0.1), top_m=BASE[2])
        return make_scene(*objects, structures=[ground])


@pytest.fixture
def worlds() -> Iterator[PyBulletWorlds]:
    with closing(stacks()) as batch:
        yield batch


def stacks(config: Config | None = None) -> PyBulletWorlds:
    source = Stacks()
    return build(source, quick_pusher(), rows=1, slots=slots_of(source, range(3)), config=config)


def future(worlds: PyBulletWorlds, index: int) -> bytes:
    worlds.load_cousin(0, index)
    for command in np.random.default_rng(0).uniform([0.1, -0.1], [0.5, 0.1], (8, 1, 2)):
        assert worlds.step(command, 12) == [""]
    state = worlds.read()
    assert state.touched.any()
    return state.position_m.tobytes() + state.velocity.tobytes() + state.drive_position.tobytes()


def test_the_simulation_does_not_depend_on_the_cousins_loaded_before(
    worlds: PyBulletWorlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the client was emptied, for another floor or because it had made enough bodies."""
    expected = [future(worlds, index) for index in range(3)]
    for index in (2, 0, 0, 1, 2, 1, 0):
        assert future(worlds, index) == expected[index]
    resets: list[BulletClient] = []
    reset = BulletClient.reset

    def counted_reset(client: BulletClient) -> None:
        resets.append(client)
        reset(client)

    monkeypatch.setattr(BulletClient, "reset", counted_reset)
    with closing(stacks(Config(max_created=6))) as short:
        for index in (0, 1, 0, 0, 1):
            assert future(short, index) == expected[index]
    assert len(resets) > 2


def test_a_cousin_with_the_same_structures_is_loaded_without_creating_the_robot_again(
    worlds: PyBulletWorlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[str] = []
    create_body = BulletClient.create_body
    for index in (0, 1):
        worlds.load_cousin(0, index)

    def recorded_create_body(client: BulletClient, plan: BodyPlan, *, may_sleep: bool = False) -> None:
        created.append(plan.name)
        create_body(client, plan, may_sleep=may_sleep)

    monkeypatch.setattr(BulletClient, "create_body", recorded_create_body)
    worlds.load_cousin(0, 0)
    assert created == ["box_0", "box_1"]


def test_a_snapshot_can_be_restored_in_another_process() -> None:
    source = Stacks()
    slots = slots_of(source, range(3))
    ends = []
    with closing(build(source, quick_pusher(), rows=1, slots=slots)) as local:
        local.load_cousin(0, 1)
        local.step(np.array([[0.4, 0.0]]), 60)
        snapshot = local.snapshot(0)
        local.step(np.array([[0.4, 0.1]]), 60)
        ends.append(local.read())
    config = Config(workers=1)
    with closing(build(source, quick_pusher(), rows=1, slots=slots, config=config)) as remote:
        remote.load_cousin(0, 1)
        remote.restore(0, snapshot)
        remote.step(np.array([[0.4, 0.1]]), 60)
        ends.append(remote.read())
        with pytest.raises(EngineError, match="the cousin has no free object 'cup'"):
            remote.place(0, "cup", np.eye(4))
    assert ends[0].position_m.tobytes() == ends[1].position_m.tobytes()
    assert ends[0].velocity.tobytes() == ends[1].velocity.tobytes()


def test_a_stalled_worker_does_not_hold_up_who_sends_it_a_large_cousin() -> None:
    class Large(Stacks):
        def scene(self, index: int) -> Scene:
            if index != 1:
                return super().scene(index)
            points = np.random.default_rng(0).normal(size=(4000, 3))
            ball = hull_piece(0.05 * points / np.linalg.norm(points, axis=1)[:, None])
            return make_scene(place(rigid_asset("box_0", [ball]), BASE[0] + 0.3, 0.0, BASE[2] + 0.06))

    source = Large()
    slots, config = slots_of(source, range(1)), Config(workers=1, stall_s=2.0)
    with closing(build(source, quick_pusher(), rows=1, slots=slots, config=config)) as batch:
        batch.load_cousin(0, 0)
        os.kill(batch.worker_ids[0], signal.SIGSTOP)
        with pytest.raises(EngineError, match="the worker of this row stalled for 2 s and was replaced"):
            batch.load_cousin(0, 1)
        assert batch.replaced == 1
        batch.load_cousin(0, 0)
        assert batch.step(np.zeros((1, 2)), 12) == [""]


def test_a_row_without_a_cousin_reports_it(worlds: PyBulletWorlds) -> None:
    with pytest.raises(EngineError, match="row 0 shows no cousin"):
        worlds.cousin_index(0)
    with pytest.raises(EngineError, match="row 0 shows no cousin"):
        worlds.snapshot(0)
    assert worlds.step(np.zeros((1, 2)), 1) == ["no cousin is shown"]
    assert not worlds.read().present.any()


def test_an_object_must_not_have_the_name_of_the_robot() -> None:
    class Robots(Stacks):
        def scene(self, index: int) -> Scene:
            del index
            return make_scene(place(rigid_asset("robot", [box_piece([0.1, 0.1, 0.1])]), 0.0, 0.0, 1.0))

    source = Robots()
    slots = slots_of(source, [0])
    with (
        closing(build(source, quick_pusher(), rows=1, slots=slots)) as batch,
        pytest.raises(EngineError, match="cousin 0 has an object named 'robot'"),
    ):
        batch.load_cousin(0, 0)


def test_gravity_is_compensated_only_for_robots_that_it_moves() -> None:
    assert compensated_weights(body_of("pusher")) == {}
    gripper = body_of("gripper")
    masses = [link.mass_kg.value for link in gripper.asset.links[1:]]
    assert sum(compensated_weights(gripper).values()) == pytest.approx(9.81 * sum(masses))


def test_commands_are_clipped_and_absurd_ones_reported() -> None:
    body = body_of("pusher")
    max_speed = body.drives[0].max_speed
    clipped, faults = clip_commands(body, np.array([[0.1, -9.0], [np.nan, 0.1], [0.1, -2e3], [np.inf, 0.0]]))
    assert clipped.tolist() == [[0.1, -max_speed], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    names = [drive.joint for drive in body.drives]
    assert faults == [
        "",
        f"the command of drive {names[0]} is nan",
        f"the command of drive {names[1]} is -2e+03",
        f"the command of drive {names[0]} is inf",
    ]


def test_an_exploding_body_is_reported_by_name() -> None:
    velocity = np.zeros((3, 6))
    assert explosion_fault("abc", velocity) == ""
    velocity[1, 0] = 2e3
    assert explosion_fault("abc", velocity) == "b exploded: 2e+03 m/s or rad/s after a step"
    velocity[0, 5] = np.nan
    assert explosion_fault("abc", velocity) == "the state of a holds NaN or infinity"


def test_only_deep_overlaps_are_refused() -> None:
    def contact(depth_m: float) -> Contact:
        return Contact(first="mug", second="bowl", depth_m=depth_m, normal=(0.0, 0.0, 1.0))

    require_apart([], engine="any")
    require_apart([contact(0.001), contact(0.019)], engine="any")
    with pytest.raises(EngineError, match="any: mug and bowl overlap by 50 mm at the start"):
        require_apart([contact(0.001), contact(0.05)], engine="any")
