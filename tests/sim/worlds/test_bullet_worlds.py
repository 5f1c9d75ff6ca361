"""What PyBullet's worlds do beyond the law book: clients that are emptied, shapes that are shared, workers."""

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
from sim.physics.simple_assets import box_piece, hull_piece, place, prop, scene_of, slab
from sim.worlds.backends.pybullet import Config, PyBulletWorlds, build
from sim.worlds.bullet_rows import carried_weights
from sim.worlds.faults import cut_commands, exploded, require_apart
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
        things = [place(prop(f"{self.name}_{i}", [hull]), *spot) for i, spot in enumerate(spots)]
        ground = slab(size_m=(4.0 + (index == 2), 4.0, 0.1), top_m=BASE[2])
        return scene_of(*things, structures=[ground])


@pytest.fixture
def worlds() -> Iterator[PyBulletWorlds]:
    with closing(stacks()) as made:
        yield made


def stacks(config: Config | None = None) -> PyBulletWorlds:
    source = Stacks()
    return build(source, quick_pusher(), rows=1, slots=slots_of(source, range(3)), config=config)


def future(worlds: PyBulletWorlds, index: int) -> bytes:
    worlds.show(0, index)
    for command in np.random.default_rng(0).uniform([0.1, -0.1], [0.5, 0.1], (8, 1, 2)):
        assert worlds.step(command, 12) == [""]
    state = worlds.read()
    assert state.touched.any()
    return state.position_m.tobytes() + state.velocity.tobytes() + state.drive_position.tobytes()


def test_the_future_is_the_same_whatever_was_shown_before(
    worlds: PyBulletWorlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the client was emptied, for another floor or because it had made enough bodies."""
    expected = [future(worlds, index) for index in range(3)]
    for index in (2, 0, 0, 1, 2, 1, 0):
        assert future(worlds, index) == expected[index]
    emptied: list[BulletClient] = []
    empty = BulletClient.empty

    def noted(client: BulletClient) -> None:
        emptied.append(client)
        empty(client)

    monkeypatch.setattr(BulletClient, "empty", noted)
    with closing(stacks(Config(made=6))) as short:
        for index in (0, 1, 0, 0, 1):
            assert future(short, index) == expected[index]
    assert len(emptied) > 2


def test_a_cousin_of_the_same_ground_is_shown_without_making_the_body_anew(
    worlds: PyBulletWorlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = BulletClient.make
    for index in (0, 1):
        worlds.show(0, index)

    def noted(client: BulletClient, plan: BodyPlan, *, sleeps: bool = False) -> None:
        made.append(plan.name)
        make(client, plan, sleeps=sleeps)

    monkeypatch.setattr(BulletClient, "make", noted)
    worlds.show(0, 0)
    assert made == ["box_0", "box_1"]


def test_a_snapshot_can_be_restored_in_another_process() -> None:
    source = Stacks()
    slots = slots_of(source, range(3))
    ends = []
    with closing(build(source, quick_pusher(), rows=1, slots=slots)) as here:
        here.show(0, 1)
        here.step(np.array([[0.4, 0.0]]), 60)
        kept = here.snapshot(0)
        here.step(np.array([[0.4, 0.1]]), 60)
        ends.append(here.read())
    config = Config(workers=1)
    with closing(build(source, quick_pusher(), rows=1, slots=slots, config=config)) as there:
        there.show(0, 1)
        there.restore(0, kept)
        there.step(np.array([[0.4, 0.1]]), 60)
        ends.append(there.read())
        with pytest.raises(EngineError, match="the cousin has no free object 'cup'"):
            there.place(0, "cup", np.eye(4))
    assert ends[0].position_m.tobytes() == ends[1].position_m.tobytes()
    assert ends[0].velocity.tobytes() == ends[1].velocity.tobytes()


def test_a_stalled_worker_does_not_hold_up_who_sends_it_a_large_cousin() -> None:
    class Large(Stacks):
        def scene(self, index: int) -> Scene:
            if index != 1:
                return super().scene(index)
            points = np.random.default_rng(0).normal(size=(4000, 3))
            ball = hull_piece(0.05 * points / np.linalg.norm(points, axis=1)[:, None])
            return scene_of(place(prop("box_0", [ball]), BASE[0] + 0.3, 0.0, BASE[2] + 0.06))

    source = Large()
    slots, config = slots_of(source, range(1)), Config(workers=1, stall_s=2.0)
    with closing(build(source, quick_pusher(), rows=1, slots=slots, config=config)) as made:
        made.show(0, 0)
        os.kill(made.worker_ids[0], signal.SIGSTOP)
        with pytest.raises(EngineError, match="the worker of this row stalled for 2 s and was replaced"):
            made.show(0, 1)
        assert made.replaced == 1
        made.show(0, 0)
        assert made.step(np.zeros((1, 2)), 12) == [""]


def test_a_row_that_shows_nothing_says_so(worlds: PyBulletWorlds) -> None:
    with pytest.raises(EngineError, match="row 0 shows no cousin"):
        worlds.shown(0)
    with pytest.raises(EngineError, match="row 0 shows no cousin"):
        worlds.snapshot(0)
    assert worlds.step(np.zeros((1, 2)), 1) == ["no cousin is shown"]
    assert not worlds.read().present.any()


def test_an_object_must_not_be_named_as_the_body() -> None:
    class Robots(Stacks):
        def scene(self, index: int) -> Scene:
            del index
            return scene_of(place(prop("robot", [box_piece([0.1, 0.1, 0.1])]), 0.0, 0.0, 1.0))

    source = Robots()
    slots = slots_of(source, [0])
    with (
        closing(build(source, quick_pusher(), rows=1, slots=slots)) as made,
        pytest.raises(EngineError, match="cousin 0 has an object named 'robot'"),
    ):
        made.show(0, 0)


def test_only_a_body_that_gravity_moves_is_carried() -> None:
    assert carried_weights(body_of("pusher")) == {}
    gripper = body_of("gripper")
    masses = [link.mass_kg.value for link in gripper.asset.links[1:]]
    assert sum(carried_weights(gripper).values()) == pytest.approx(9.81 * sum(masses))


def test_commands_are_cut_and_absurd_ones_told() -> None:
    body = body_of("pusher")
    most = body.drives[0].most_speed
    cut, told = cut_commands(body, np.array([[0.1, -9.0], [np.nan, 0.1], [0.1, -2e3], [np.inf, 0.0]]))
    assert cut.tolist() == [[0.1, -most], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    names = [drive.joint for drive in body.drives]
    assert told == [
        "",
        f"the command of drive {names[0]} is nan",
        f"the command of drive {names[1]} is -2e+03",
        f"the command of drive {names[0]} is inf",
    ]


def test_what_explodes_is_told_by_name() -> None:
    velocity = np.zeros((3, 6))
    assert exploded("abc", velocity) == ""
    velocity[1, 0] = 2e3
    assert exploded("abc", velocity) == "b exploded: 2e+03 m/s or rad/s after a step"
    velocity[0, 5] = np.nan
    assert exploded("abc", velocity) == "the state of a holds NaN or infinity"


def test_only_deep_overlaps_are_refused() -> None:
    def contact(depth_m: float) -> Contact:
        return Contact(first="mug", second="bowl", depth_m=depth_m, normal=(0.0, 0.0, 1.0))

    require_apart([], engine="any")
    require_apart([contact(0.001), contact(0.019)], engine="any")
    with pytest.raises(EngineError, match="any: mug and bowl overlap by 50 mm at the start"):
        require_apart([contact(0.001), contact(0.05)], engine="any")
