"""A stability trial reports overlaps, falls and creeping, and returns the poses at rest of stable scenes."""

from __future__ import annotations

import numpy as np
import pytest

from cousins.geometry import rigid, rotation_about
from cousins.plugins import load_backend
from cousins.scene.scenes import Scene
from sim.physics.engine import Engine
from sim.physics.simple_assets import box_piece, cylinder_piece, make_scene, place, rigid_asset, slab, sphere_piece
from sim.validation.stability_trial import TrialConfig, TrialResult, run_trial, with_poses

GAP = 1e-5


def trial_of(scene: Scene, engine: str, *, config: TrialConfig | None = None) -> TrialResult:
    module = load_backend("sim.physics.backends", engine, kind="engine")
    with module.build(module.Config()) as running:
        built: Engine = running
        return run_trial(scene, built, config=config)


def tower(top_at_m: float) -> Scene:
    """Return a wide box with a small one on it, whose centres are `top_at_m` apart [m]."""
    wide, small = (
        rigid_asset("wide", [box_piece([0.1, 0.1, 0.05])]),
        rigid_asset("small", [box_piece([0.06, 0.06, 0.04])]),
    )
    return make_scene(place(wide, 0.0, 0.0, 0.025 + GAP), place(small, top_at_m, 0.0, 0.07 + 2 * GAP))


engines = pytest.mark.parametrize("engine", ["mujoco", "pybullet"])


@engines
def test_what_stands_holds_and_lies_at_rest_where_it_was_put(engine: str) -> None:
    trial = trial_of(tower(0.0), engine)
    assert trial.failures == ()
    assert trial.engine == engine
    assert trial.depth_m < 1e-5
    assert trial.settled_m < 3e-4
    assert set(trial.rest) == {"wide", "small"}
    np.testing.assert_allclose(trial.rest["small"][:3, 3], [0.0, 0.0, 0.07], atol=3e-4)


@engines
def test_what_tips_over_an_edge_is_named(engine: str) -> None:
    assert trial_of(tower(0.053), engine).failures == ("an object moves away or falls",)


@engines
def test_what_hangs_in_the_air_is_named(engine: str) -> None:
    box = rigid_asset("box", [box_piece([0.1, 0.1, 0.1])])
    assert trial_of(make_scene(place(box, 0.0, 0.0, 0.08)), engine).failures == ("an object moves away or falls",)


@engines
def test_what_overlaps_is_named_before_anything_moves(engine: str) -> None:
    first, second = (rigid_asset(name, [box_piece([0.1, 0.1, 0.1])]) for name in ("first", "second"))
    scene = make_scene(place(first, 0.0, 0.0, 0.05 + GAP), place(second, 0.098, 0.0, 0.05 + GAP))
    trial = trial_of(scene, engine)
    assert trial.failures == ("overlap at the start",)
    assert trial.depth_m == pytest.approx(0.002, abs=5e-4)
    assert trial.rest["first"][2, 3] == pytest.approx(0.05 + GAP)


@engines
def test_what_overlaps_the_floor_is_named(engine: str) -> None:
    box = rigid_asset("box", [box_piece([0.1, 0.1, 0.1])])
    assert trial_of(make_scene(place(box, 0.0, 0.0, 0.048)), engine).failures == ("overlap at the start",)


@engines
def test_what_rolls_or_slides_is_named(engine: str) -> None:
    ramp = rotation_about(np.array([0.0, 1.0, 0.0]), 0.2)
    ball = rigid_asset("ball", [sphere_piece(0.05)])
    floor = rigid_asset("ramp", [box_piece([1.0, 1.0, 0.02])])
    fixed = place(floor, 0.0, 0.0, 0.3, rotation=ramp)
    scene = make_scene(
        type(fixed)(asset=floor, world_from_asset=fixed.world_from_asset, fixed=True),
        place(ball, *(np.array([0.0, 0.0, 0.3]) + ramp @ [0.0, 0.0, 0.06 + GAP])),
    )
    (failure,) = trial_of(scene, engine).failures
    assert failure in ("an object moves away or falls", "an object does not come to rest", "an object creeps")


@engines
def test_what_leans_a_little_is_named_or_comes_to_rest_flat(engine: str) -> None:
    lean = rotation_about(np.array([1.0, 0.0, 0.0]), np.deg2rad(1.0))
    can = rigid_asset("can", [cylinder_piece(0.03, 0.08)])
    trial = trial_of(make_scene(place(can, 0.0, 0.0, 0.0406, rotation=lean)), engine)
    if not trial.failures:
        assert trial.rest["can"][2, 2] > np.cos(np.deg2rad(0.2))


def test_a_strict_bar_on_creeping_is_kept() -> None:
    trial = trial_of(tower(0.0), "mujoco", config=TrialConfig(creep_m=-1.0))
    assert trial.failures == ("an object creeps",)


def test_an_empty_scene_holds() -> None:
    trial = trial_of(make_scene(structures=(slab(),)), "mujoco")
    assert (trial.failures, trial.rest) == ((), {})


def test_a_scene_at_rest_has_the_poses_of_its_trial() -> None:
    scene = tower(0.0)
    moved = with_poses(scene, {"small": rigid(translation=np.array([0.0, 0.0, 1.0]))})
    assert moved.objects[1].world_from_asset[2, 3] == 1.0
    assert moved.objects[0] is scene.objects[0]
