"""Which cousins afford a task, and what an episode takes from one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import InputError, UnknownNameError
from cousins.geometry import Array, rigid, rotation_about, transform
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import PlacedAsset, Structure
from cousins.vary.cousins import Cousin
from cousins.vary.placement.goals import NO_GOAL
from sim.bodies.named import capabilities_by_name
from sim.physics.simple_assets import place, slab
from sim.tasks import Episode, Refused, build_task, task_names
from sim.tasks.affordance_queries import signatures_of, task_context
from sim.tasks.episode import sample_start
from sim.tasks.gantry_placement import base_over
from sim.tasks.task_source import TaskSource
from sim.worlds.worlds import slots_of
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.sim.tasks.scenes_for_tests import bowl_source, cabinet_source, drawer_source, stack_source, table_source
from tests.sim.tasks.stages_for_tests import staged
from tests.sim.worlds_for_tests import TOP_M, TinySource

STILL = {"start_shift_m": 0.0, "start_turn_rad": 0.0}


def episode_of(task: str, source: TinySource, **options: object) -> Episode | Refused:
    built_task = build_task(task, **options)
    return TaskSource(source, built_task, built_task.bodies[0]).episode(0)


def reason(task: str, source: TinySource) -> str:
    refusal = episode_of(task, source)
    assert isinstance(refusal, Refused), refusal
    return refusal.reason


def test_a_proof_names_what_was_measured() -> None:
    push = episode_of("push", table_source())
    assert isinstance(push, Episode)
    assert "stands free on table; its goal, 15 cm away, is free" in push.proof
    drawer = episode_of("open_drawer", drawer_source())
    assert isinstance(drawer, Episode)
    assert "slides 26 cm towards a robot" in drawer.proof


def test_a_cousin_without_a_task_of_its_own_affords_nothing_on_its_table() -> None:
    source = bowl_source()
    source.tasks[0] = NO_GOAL
    for task in ("push", "pull"):
        assert "no object that may be handled" in reason(task, source)
    for task in ("lift", "place", "stack", "clear_table"):
        assert "no place for a robot" in reason(task, source)


def test_a_table_without_furniture_has_no_drawer_and_no_door() -> None:
    assert "no drawer" in reason("open_drawer", table_source())
    assert "no drawer" in reason("close_drawer", table_source())
    assert "no door" in reason("open_door", table_source())
    assert "no door" in reason("open_door", drawer_source())
    assert "no empty container" in reason("place", table_source())
    assert "no level top" in reason("stack", table_source())


def test_what_is_too_heavy_for_friction_is_not_lifted() -> None:
    source = table_source()
    scene = source.scenes[0]
    box = scene.objects[0]
    link = box.asset.links[0]
    heavy = replace(link, mass_kg=replace(link.mass_kg, value=3.0, high=3.0))
    source.scenes[0] = replace(scene, objects=(replace(box, asset=replace(box.asset, links=(heavy,))),))
    assert "that friction holds" in reason("lift", source)
    assert isinstance(episode_of("push", source), Episode)


def test_where_something_stands_before_a_drawer_no_robot_finds_room() -> None:
    source = drawer_source()
    scene = source.scenes[0]
    crate = place(box_asset("crate", (0.3, 0.3, 0.7)), -0.55, 0.0, 0.35001)
    source.scenes[0] = replace(scene, objects=(*scene.objects, crate))
    assert "before which a robot finds room" in reason("open_drawer", source)


def test_nothing_is_pulled_through_another_thing() -> None:
    source = table_source(more=(place(box_asset("wall", (0.02, 0.5, 0.1)), -0.09, 0.0, TOP_M + 0.05001),))
    assert reason("pull", source) == "no free way towards the robot"


def test_what_stands_on_another_thing_is_not_pushed() -> None:
    source = table_source()
    scene = source.scenes[0]
    low = slab("table", size_m=(1.0, 1.0, 0.05), top_m=TOP_M - 0.1)
    brick = place(box_asset("brick", (0.2, 0.2, 0.1)), 0.0, 0.0, TOP_M - 0.05)
    changed = replace(scene, structures=(low,), objects=(brick, *scene.objects))
    source.scenes[0] = replace(changed, relations=find_relations(changed))
    assert "does not stand on a structure" in reason("push", source)


def test_a_push_needs_room_on_its_way_and_behind_it() -> None:
    task = table_source().tasks[0]
    direction = np.array(task.goal_m[:2]) / np.linalg.norm(task.goal_m[:2])
    aside = 0.06 * np.array([-direction[1], direction[0]])
    for offset_m, free in (
        (0.08 * direction, False),
        (-0.06 * direction, False),
        (aside, True),
        (-0.12 * direction, True),
    ):
        brick = place(box_asset("brick", (0.02, 0.02, 0.04)), *offset_m.tolist(), TOP_M + 0.02001)
        source = table_source(more=(brick,))
        if free:
            assert isinstance(episode_of("push", source), Episode)
        else:
            assert "on the way to the goal, or where a stick" in reason("push", source)


def test_starts_are_drawn_within_their_range_and_never_into_another_thing() -> None:
    beside = place(box_asset("brick", (0.05, 0.05, 0.04)), 0.0, 0.056, TOP_M + 0.02001)
    episode = episode_of("push", table_source(more=(beside,)), start_shift_m=0.01, start_turn_rad=0.3)
    assert isinstance(episode, Episode)
    poses = [sample_start(episode, np.random.default_rng(seed)).placements[0][1] for seed in range(60)]
    places = np.array([pose[:2, 3] for pose in poses])
    assert np.abs(places).max() <= 0.01
    assert len(np.unique(places[:, 0])) > 30
    turns = np.array([np.arctan2(pose[1, 0], pose[0, 0]) for pose in poses])
    assert np.abs(turns).max() <= 0.3 + 1e-9
    corners = np.array([[-0.025, 0.025], [0.025, 0.025]])
    for place_m, turn in zip(places, turns, strict=True):
        c, s = np.cos(turn), np.sin(turn)
        assert (place_m[1] + corners @ [s, c]).max() <= 0.031 + 1e-9
    again = sample_start(episode, np.random.default_rng(7)).placements[0][1]
    np.testing.assert_array_equal(again, poses[7])


@pytest.mark.parametrize("task", sorted(task_names()))
def test_what_a_policy_sees_does_not_depend_on_where_the_world_lies(task: str) -> None:
    sources = {
        "open_drawer": drawer_source,
        "close_drawer": drawer_source,
        "open_door": cabinet_source,
        "stack": stack_source,
        "place": bowl_source,
        "clear_table": lambda: bowl_source(boxes=2),
    }
    source = sources.get(task, table_source)()
    options = {} if task in ("open_drawer", "close_drawer", "open_door") else STILL
    original = staged(task, source, **options)
    moved = staged(task, _elsewhere(source), **options)
    np.testing.assert_allclose(moved.observation(), original.observation(), atol=2e-5)
    assert original.task.judge(original.episodes.rows, original.view()).reward[0] == pytest.approx(
        float(moved.outcome().reward[0]), abs=1e-5
    )


def _elsewhere(source: TinySource) -> TinySource:
    """Return the same worlds turned about z and shifted on the ground."""
    turn = 0.7
    move = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), turn), np.array([0.4, -1.1, 0.0]))
    scene, task = source.scenes[0], source.tasks[0]
    goal = (move @ [*task.goal_m, 1.0])[:3]
    base = (move @ [*task.robot_base_m, 1.0])[:3]
    moved_scene = replace(
        scene,
        objects=tuple(replace(item, world_from_asset=move @ item.world_from_asset) for item in scene.objects),
        structures=tuple(_shifted(item, move) for item in scene.structures),
    )
    moved_task = replace(
        task,
        goal_m=tuple(goal.tolist()),
        robot_base_m=tuple(base.tolist()),
        robot_yaw_rad=task.robot_yaw_rad + (turn if task.target else 0.0),
    )
    return TinySource(scenes={0: moved_scene}, tasks={0: moved_task})


def _shifted(structure: Structure, move: Array) -> Structure:
    pieces = [
        replace(piece, mesh=piece.mesh.transformed(move), link_from_piece=move @ piece.link_from_piece)
        for piece in structure.pieces
    ]
    return replace(structure, pieces=tuple(pieces))


def test_a_robot_stands_before_the_drawer_and_looks_at_it() -> None:
    source = drawer_source()
    task = build_task("open_drawer")
    wrapped = TaskSource(source, task, "gripper")
    cousin = wrapped.cousin(0)
    handle = wrapped.afforded(0).parts[0].hold_m
    assert handle[1] < 0.0
    assert cousin.task.robot_base_m[0] < -0.5
    assert cousin.task.robot_yaw_rad == pytest.approx(0.0, abs=1e-6)
    assert wrapped.digest != source.digest
    assert TaskSource(source, build_task("pull"), "pusher").digest == source.digest


class Drawn(TinySource):
    """One scene under many numbers, each with random numbers of its own."""

    def cousin(self, index: int) -> Cousin:
        """Return a cousin that was drawn."""
        return replace(super().cousin(index), spawn_key=(index,) if index else ())


def drawn_many(tiny: TinySource, *, count: int = 20) -> Drawn:
    """Return the only cousin of a source under many numbers."""
    return Drawn(scenes=dict.fromkeys(range(count), tiny.scenes[0]), tasks=dict.fromkeys(range(count), tiny.tasks[0]))


def in_base(episode: Episode, point: Array) -> Array:
    """Return a level point [2] in the frame of the base."""
    c, s = np.cos(episode.base_yaw_rad), np.sin(episode.base_yaw_rad)
    return np.array([[c, s], [-s, c]]) @ (np.asarray(point) - episode.base_m[:2])


def test_rails_stand_behind_what_they_push_and_face_its_goal_but_for_what_a_cousin_draws() -> None:
    source = drawn_many(table_source(), count=30)
    wrapped = TaskSource(source, build_task("push"), "pusher")
    goal = np.array(source.tasks[0].goal_m[:2])
    episodes = [wrapped.afforded(index) for index in range(30)]
    turned = [np.arctan2(*in_base(item, goal + item.base_m[:2])[::-1]) for item in episodes]
    assert 0.3 < np.abs(turned).max() <= 0.4
    direction = goal / np.linalg.norm(goal)
    side = np.array([-direction[1], direction[0]])
    ahead = [-direction @ item.base_m[:2] for item in episodes]
    aside = [side @ item.base_m[:2] for item in episodes]
    reach = 0.5 * 0.05 * np.abs(direction).sum() + 0.025
    assert reach + 0.02 <= min(ahead) < reach + 0.06
    assert reach + 0.11 < max(ahead) <= reach + 0.15
    assert 0.07 < np.abs(aside).max() <= 0.1
    assert {item.base_m[2] for item in episodes} == {source.tasks[0].robot_base_m[2]}
    again = TaskSource(source, build_task("push"), "gripper").afforded(7)
    assert again.base_m == episodes[7].base_m


def test_a_stick_starts_in_no_other_thing() -> None:
    task = table_source().tasks[0]
    direction = np.array(task.goal_m[:2]) / np.linalg.norm(task.goal_m[:2])
    side = np.array([-direction[1], direction[0]])
    bricks = [
        place(
            box_asset(f"brick_{i}", (0.03, 0.03, 0.04)),
            *(-0.12 * direction + 0.05 * i * side).tolist(),
            TOP_M + 0.02001,
        )
        for i in (-2, -1, 0, 1, 2)
    ]
    source = drawn_many(table_source(more=tuple(bricks)))
    wrapped = TaskSource(source, build_task("push"), "pusher")
    sticks = np.array([wrapped.afforded(index).base_m[:2] for index in range(20)])
    assert len(np.unique(sticks[:, 0])) > 10
    for brick in bricks:
        local = sticks - brick.world_from_asset[:2, 3]
        assert np.abs(local).max(axis=1).min() > 0.015 + 0.015


def test_rails_stand_over_what_they_take_with_their_fingers_about_along_the_grasp() -> None:
    source = drawn_many(table_source(), count=30)
    wrapped = TaskSource(source, build_task("lift"), "gripper")
    for index in range(30):
        episode = wrapped.afforded(index)
        axis = in_base(episode, np.array(episode.parts[0].axis[:2]) + episode.base_m[:2])
        assert abs(axis[1]) >= np.cos(0.4) - 1e-9
        hold = in_base(episode, np.array(episode.parts[0].hold_m[:2]))
        assert np.abs(hold - [0.25, 0.0]).max() <= 0.1 + 1e-9
        assert abs(np.arctan2(np.sin(episode.base_yaw_rad), np.cos(episode.base_yaw_rad))) <= np.pi / 2.0 + 0.4


@pytest.mark.parametrize(("task", "source"), [("place", bowl_source()), ("stack", stack_source())])
def test_rails_over_what_is_carried_face_where_it_goes_and_reach_there(task: str, source: TinySource) -> None:
    many_cousins = drawn_many(source, count=30)
    wrapped = TaskSource(many_cousins, build_task(task), "gripper")
    for index in range(30):
        episode = wrapped.afforded(index)
        moved = next(item for item in source.scenes[0].objects if item.asset.name == episode.place)
        x, y = in_base(episode, moved.world_from_asset[:2, 3])
        assert 0.0 < x < 1.0
        assert abs(y) < 0.7
        hold = in_base(episode, np.array(episode.parts[0].hold_m[:2]))
        assert np.abs(hold - [0.25, 0.0]).max() <= 0.1 + 1e-9
        assert abs(in_base(episode, np.array(episode.parts[0].axis[:2]) + episode.base_m[:2])[1]) >= np.cos(0.4) - 1e-9


def test_rails_that_would_not_reach_where_a_thing_is_carried_stay_where_the_cousin_has_them() -> None:
    cousin = table_source().cousin(0)
    near, far = (
        base_over(
            cousin,
            capabilities_by_name("gripper"),
            hold_m=np.zeros(2),
            axis=np.array([0.0, 1.0]),
            carried_to_m=np.array([x, 0.0]),
        )
        for x in (-0.5, -1.4)
    )
    assert near["base_m"][0] > 0.1
    assert far["base_m"] == cousin.task.robot_base_m


@pytest.mark.parametrize(
    ("task", "source"),
    [("push", table_source()), ("lift", table_source()), ("place", bowl_source()), ("stack", stack_source())],
)
def test_an_arm_stands_where_the_cousin_has_it(task: str, source: TinySource) -> None:
    for body in ("panda", "so101"):
        episode = TaskSource(source, build_task(task), body).afforded(0)
        assert episode.base_m == source.tasks[0].robot_base_m
        assert episode.base_yaw_rad == source.tasks[0].robot_yaw_rad


def test_before_a_drawer_to_be_shut_each_cousin_has_its_robot_elsewhere_within_15_cm_and_0_4_rad() -> None:
    tiny = drawer_source()
    source = drawn_many(tiny)
    straight = TaskSource(source, build_task("close_drawer", off_m=0.0, askew_rad=0.0), "pusher").afforded(0)
    wrapped = TaskSource(source, build_task("close_drawer"), "pusher")
    off = np.array([wrapped.afforded(index).base_m for index in range(20)]) - straight.base_m
    turned = np.array([wrapped.afforded(index).base_yaw_rad for index in range(20)]) - straight.base_yaw_rad
    assert 0.1 < np.abs(off[:, 0]).max() <= 0.15
    assert 0.1 < np.abs(off[:, 1]).max() <= 0.15
    assert not off[:, 2].any()
    assert 0.3 < np.abs(turned).max() <= 0.4
    again = TaskSource(source, build_task("close_drawer"), "gripper").afforded(7)
    np.testing.assert_array_equal(again.base_m[:2], wrapped.afforded(7).base_m[:2])


def test_a_unit_that_stands_free_starts_around_its_place_with_room_for_its_open_drawer() -> None:
    def free(*more: PlacedAsset) -> Episode:
        source = drawer_source()
        scene = source.scenes[0]
        scene = replace(scene, objects=(replace(scene.objects[0], fixed=False), *more))
        source.scenes[0] = replace(scene, relations=find_relations(scene))
        episode = episode_of("close_drawer", source)
        assert isinstance(episode, Episode)
        return episode

    (start,) = free().starts
    assert start.name == "drawer_unit"
    assert start.shape.radius_m > 0.4
    places = [sample_start(free(), np.random.default_rng(seed)).placements[0][1] for seed in range(10)]
    assert 0.003 < max(float(np.abs(place[:2, 3]).max()) for place in places) <= 0.01
    on_top = place(box_asset("box", (0.1, 0.1, 0.1)), 0.0, 0.0, 0.65001)
    assert free(on_top).starts == ()
    fixed = episode_of("close_drawer", drawer_source())
    assert isinstance(fixed, Episode)
    assert fixed.starts == ()


def test_a_stick_reaches_lower_than_a_hand_so_a_low_box_is_in_its_way_alone() -> None:
    source = drawer_source()
    scene = source.scenes[0]
    handle = TaskSource(source, build_task("open_drawer"), "gripper").afforded(0)
    top_m = float(scene.objects[0].world_from_asset[2, 3] + handle.parts[0].hold_m[2]) - 0.03
    low = place(box_asset("low", (0.2, 0.6, top_m)), -0.65, 0.0, 0.5 * top_m + 1e-5)
    source.scenes[0] = replace(scene, objects=(*scene.objects, low))
    with_hand = TaskSource(source, build_task("close_drawer"), "gripper").episode(0)
    with_stick = TaskSource(source, build_task("close_drawer"), "pusher").episode(0)
    assert isinstance(with_hand, Episode)
    assert isinstance(with_stick, Refused)


def test_columns_are_the_same_from_signatures_as_from_scenes() -> None:
    source = drawer_source()

    class Signed(TinySource):
        def signatures(self, index: int):  # type: ignore[no-untyped-def]
            return signatures_of(source, source.scene(index), index)

    signed = Signed(scenes=source.scenes, tasks=source.tasks)
    task = build_task("open_drawer")
    assert TaskSource(signed, task, "gripper").slots([0]) == slots_of(source, [0])
    assert task_context(signed, signed.scene(0), 0).signatures.keys() == {"drawer_unit"}


def test_where_no_cousin_affords_a_task_the_error_has_the_reasons() -> None:
    wrapped = TaskSource(table_source(), build_task("open_door"), "gripper")
    with pytest.raises(InputError, match="1 cousins, none of which affords open_door: 1 times no door"):
        wrapped.first_of([0])
    with pytest.raises(InputError, match="cousin 0, which does not afford open_door"):
        wrapped.afforded(0)


def test_an_unknown_task_gets_a_guess() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'push'"):
        build_task("pusch")


def test_a_hand_from_above_takes_an_upright_handle_near_its_top_and_a_level_one_where_it_was_measured() -> None:
    door = TaskSource(cabinet_source(), build_task("open_door"), "gripper")
    drawer = TaskSource(drawer_source(), build_task("open_drawer"), "gripper")
    cabinet = cabinet_source().scenes[0].objects[0].asset
    bars = [
        piece for link in cabinet.links[1:] for piece in link.pieces if piece.size_m[2] > 3.0 * piece.size_m[:2].max()
    ]
    pose = asset_from_links(cabinet)[cabinet.links[1].name]
    tops = [float(transform(pose, bar.mesh.vertices)[:, 2].max()) for bar in bars]
    hold = door.afforded(0).parts[0].hold_m
    assert any(hold[2] == pytest.approx(top - 0.02) for top in tops)
    unit = drawer_source()
    measured = {joint.handle_m for joint in signatures_of(unit, unit.scenes[0], 0)["drawer_unit"].joints}
    assert drawer.afforded(0).parts[0].hold_m in measured
