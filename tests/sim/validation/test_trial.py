"""A trial names what does not hold: an overlap, a fall, a creeping; and lays to rest what does."""

from __future__ import annotations

import numpy as np
import pytest

from cousins.geometry import rigid, rotation_about
from cousins.plugins import load
from cousins.scene.scenes import Scene
from sim.physics.engine import Engine
from sim.physics.simple_assets import box_piece, cylinder_piece, place, prop, scene_of, slab, sphere_piece
from sim.validation.stability_trial import Trial, TrialConfig, at_rest, try_scene

GAP = 1e-5


def tried(scene: Scene, engine: str, *, config: TrialConfig | None = None) -> Trial:
    module = load("sim.physics.backends", engine, kind="engine")
    with module.build(module.Config()) as one:
        built: Engine = one
        return try_scene(scene, built, config=config)


def tower(top_at_m: float) -> Scene:
    """A wide box with a small one on it, whose middle is that far from the wide one's."""
    wide, small = prop("wide", [box_piece([0.1, 0.1, 0.05])]), prop("small", [box_piece([0.06, 0.06, 0.04])])
    return scene_of(place(wide, 0.0, 0.0, 0.025 + GAP), place(small, top_at_m, 0.0, 0.07 + 2 * GAP))


engines = pytest.mark.parametrize("engine", ["mujoco", "pybullet"])


@engines
def test_what_stands_holds_and_lies_at_rest_where_it_was_put(engine: str) -> None:
    trial = tried(tower(0.0), engine)
    assert trial.failures == ()
    assert trial.engine == engine
    assert trial.depth_m < 1e-5
    assert trial.settled_m < 3e-4
    assert set(trial.rest) == {"wide", "small"}
    np.testing.assert_allclose(trial.rest["small"][:3, 3], [0.0, 0.0, 0.07], atol=3e-4)


@engines
def test_what_tips_over_an_edge_is_named(engine: str) -> None:
    assert tried(tower(0.053), engine).failures == ("an object moves away or falls",)


@engines
def test_what_hangs_in_the_air_is_named(engine: str) -> None:
    box = prop("box", [box_piece([0.1, 0.1, 0.1])])
    assert tried(scene_of(place(box, 0.0, 0.0, 0.08)), engine).failures == ("an object moves away or falls",)


@engines
def test_what_overlaps_is_named_before_anything_moves(engine: str) -> None:
    first, second = (prop(name, [box_piece([0.1, 0.1, 0.1])]) for name in ("first", "second"))
    scene = scene_of(place(first, 0.0, 0.0, 0.05 + GAP), place(second, 0.098, 0.0, 0.05 + GAP))
    trial = tried(scene, engine)
    assert trial.failures == ("overlap at the start",)
    assert trial.depth_m == pytest.approx(0.002, abs=5e-4)
    assert trial.rest["first"][2, 3] == pytest.approx(0.05 + GAP)


@engines
def test_what_overlaps_the_floor_is_named(engine: str) -> None:
    box = prop("box", [box_piece([0.1, 0.1, 0.1])])
    assert tried(scene_of(place(box, 0.0, 0.0, 0.048)), engine).failures == ("overlap at the start",)


@engines
def test_what_rolls_or_slides_is_named(engine: str) -> None:
    ramp = rotation_about(np.array([0.0, 1.0, 0.0]), 0.2)
    ball = prop("ball", [sphere_piece(0.05)])
    floor = prop("ramp", [box_piece([1.0, 1.0, 0.02])])
    fixed = place(floor, 0.0, 0.0, 0.3, rotation=ramp)
    scene = scene_of(
        type(fixed)(asset=floor, world_from_asset=fixed.world_from_asset, fixed=True),
        place(ball, *(np.array([0.0, 0.0, 0.3]) + ramp @ [0.0, 0.0, 0.06 + GAP])),
    )
    (failure,) = tried(scene, engine).failures
    assert failure in ("an object moves away or falls", "an object does not come to rest", "an object creeps")


@engines
def test_what_leans_a_little_is_named_or_comes_to_rest_flat(engine: str) -> None:
    lean = rotation_about(np.array([1.0, 0.0, 0.0]), np.deg2rad(1.0))
    can = prop("can", [cylinder_piece(0.03, 0.08)])
    trial = tried(scene_of(place(can, 0.0, 0.0, 0.0406, rotation=lean)), engine)
    if not trial.failures:
        assert trial.rest["can"][2, 2] > np.cos(np.deg2rad(0.2))


def test_a_strict_bar_on_creeping_is_kept() -> None:
    trial = tried(tower(0.0), "mujoco", config=TrialConfig(creep_m=-1.0))
    assert trial.failures == ("an object creeps",)


def test_an_empty_scene_holds() -> None:
    trial = tried(scene_of(structures=(slab(),)), "mujoco")
    assert (trial.failures, trial.rest) == ((), {})


def test_a_scene_at_rest_has_the_poses_of_its_trial() -> None:
    scene = tower(0.0)
    moved = at_rest(scene, {"small": rigid(translation=np.array([0.0, 0.0, 1.0]))})
    assert moved.objects[1].world_from_asset[2, 3] == 1.0
    assert moved.objects[0] is scene.objects[0]
