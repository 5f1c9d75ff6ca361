"""A cousin tried in the one model with slots moves as in the model that is compiled for it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins.errors import EngineError
from cousins.vary.cousin_sampler import Drawer, Refusal, draw, make_drawer
from cousins.vary.cousins import AXES, Cousin, Library, realise
from cousins.vary.distance import distances
from cousins.vary.distributions import Constant
from cousins.vary.placement.clutter import most_clutter
from cousins.vary.recipes import Clutter, Recipe
from sim.physics.backends.mujoco import Config, build
from sim.physics.motion import moved
from sim.physics.simple_assets import place, scene_of
from sim.validation.slot_model import Superset, fits
from sim.validation.stability_trial import TrialConfig, try_scene
from tests.cousins.scene.scenes_for_tests import box_asset, cabinet_asset
from tests.cousins.vary.tables_for_tests import FULL, drawer_at, recipe_at, table_library, variant

LONG = TrialConfig(settled_m=10.0, settled_rad=10.0, overlap_m=1.0, creep_m=10.0, creep_rad=10.0)


@pytest.fixture(scope="module")
def drawer() -> Drawer:
    clutter = Clutter(add=Constant(value=2), remove=Constant(value=1))
    return make_drawer(table_library(), replace(recipe_at(0.8, clutter=1.0), clutter=clutter), seed=0)


@pytest.fixture(scope="module")
def superset(drawer: Drawer) -> Superset:
    return Superset(drawer.library, clutter=most_clutter(drawer.recipe))


def cousins_of(drawer: Drawer, count: int, *, split: str = "train") -> list[Cousin]:
    found = [draw(drawer, split, (2, 1, 0, number), FULL) for number in range(2 * count)]
    return [one for one in found if isinstance(one, Cousin)][:count]


def test_poses_are_those_of_the_compiled_scene(drawer: Drawer, superset: Superset) -> None:
    cousins = [drawer.twin, *cousins_of(drawer, 4), *cousins_of(drawer_at(0.8, clutter=0.0), 2, split="heldout_far")]
    assert any(len(one.stands) != len(drawer.twin.stands) or "clutter_0" in str(one.stands) for one in cousins)
    with build(Config()) as engine:
        for cousin in cousins:
            fast = superset.try_cousin(cousin, TrialConfig())
            slow = try_scene(realise(cousin, drawer.library), engine)
            assert fast.failures == slow.failures
            assert fast.depth_m == pytest.approx(slow.depth_m, abs=1e-6)
            assert set(fast.rest) == set(slow.rest) == {one.name for one in cousin.stands}
            for name, pose in fast.rest.items():
                way, angle = moved(slow.rest[name], pose)
                assert way < 1e-4, name
                assert angle < 1e-4, name


def test_a_thing_that_falls_falls_alike(drawer: Drawer, superset: Superset) -> None:
    (cousin,) = cousins_of(drawer, 1)
    lifted = replace(cousin.stands[0], position_m=(*cousin.stands[0].position_m[:2], 1.1))
    cousin = replace(cousin, stands=(lifted, *cousin.stands[1:]))
    with build(Config()) as engine:
        fast = superset.try_cousin(cousin, TrialConfig())
        slow = try_scene(realise(cousin, drawer.library), engine)
    assert fast.failures == slow.failures == ("an object moves away or falls",)
    assert moved(slow.rest[lifted.name], fast.rest[lifted.name])[0] < 1e-4


def test_masses_inertias_and_frictions_are_the_cousins_own(drawer: Drawer, superset: Superset) -> None:
    for cousin in cousins_of(drawer, 3):
        superset.show(cousin)
        scene = realise(cousin, drawer.library)
        with build(Config()) as engine:
            engine.load(scene)
            truth = engine._model
            for stand in cousin.stands:
                body = superset.model.body(f"slot__{stand.name}")
                own = truth.body(stand.name)
                np.testing.assert_allclose(body.mass, own.mass, rtol=1e-6)
                np.testing.assert_allclose(body.ipos, own.ipos, atol=2e-6)
                np.testing.assert_allclose(np.sort(body.inertia), np.sort(own.inertia), rtol=1e-3)


def test_what_was_shown_before_leaves_no_trace(drawer: Drawer, superset: Superset) -> None:
    first, second = cousins_of(drawer, 2)
    alone = Superset(drawer.library, clutter=most_clutter(drawer.recipe)).try_cousin(first, LONG)
    superset.try_cousin(second, LONG)
    again = superset.try_cousin(first, LONG)
    for name, pose in alone.rest.items():
        assert again.rest[name].tobytes() == pose.tobytes(), name


def test_overlapping_things_are_named(drawer: Drawer, superset: Superset) -> None:
    box, can, *rest = drawer.twin.stands
    near = replace(can, position_m=(box.position_m[0] + 0.03, *can.position_m[1:]))
    trial = superset.try_cousin(replace(drawer.twin, stands=(box, near, *rest)), TrialConfig())
    assert trial.failures == ("overlap at the start",)
    assert trial.depth_m > 0.01


def test_a_state_that_explodes_is_an_error(drawer: Drawer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to a file there
    superset = Superset(drawer.library, clutter=2)
    superset.show(drawer.twin)
    superset.data.qvel[:] = np.nan
    with pytest.raises(EngineError, match="exploded"):
        superset._step(10)


def test_what_is_free_and_has_joints_has_no_slot_and_that_is_told_beforehand() -> None:
    cabinet, box = cabinet_asset(), box_asset()
    scene = scene_of(place(cabinet, 0.0, 0.0, 0.25), place(box, 1.0, 0.0, 0.025))
    variants = {one.name: variant(one.name, one, one, "twin") for one in (cabinet, box)}
    alone = Library(scene=scene, variants={cabinet.name: variants[cabinet.name]})
    assert not fits(alone)
    with pytest.raises(EngineError, match="nothing that is free is rigid"):
        Superset(alone, clutter=0)
    both = Library(scene=scene, variants=variants)
    assert fits(both)
    superset = Superset(both, clutter=0)
    twin = make_drawer(both, Recipe(), seed=0).twin
    assert not superset.shows(twin)
    with pytest.raises(EngineError, match="something free has joints"):
        superset.show(twin)


def test_the_joints_of_what_is_fixed_take_the_cousins_numbers() -> None:
    cabinet, box = cabinet_asset(), box_asset()
    scene = scene_of(replace(place(cabinet, 0.0, 0.0, 0.25), fixed=True), place(box, 1.0, 0.0, 0.025))
    variants = {one.name: variant(one.name, one, one, "twin") for one in (cabinet, box)}
    library = Library(scene=scene, variants=variants)
    drawer = make_drawer(library, Recipe().at(0.0, axes={"joints": 1.0}), seed=0)
    drawn = next(
        one for key in range(20) if not isinstance(one := draw(drawer, "train", (key,), np.ones(len(AXES))), Refusal)
    )
    changes = next(stand for stand in drawn.stands if stand.fixed).joints
    assert distances(drawn, library, drawer.twin)["joints"] > 0.0
    superset = Superset(library, clutter=0)
    superset.show(drawn)
    assert len(changes) == sum(joint.kind != "fixed" for joint in cabinet.joints)
    for change in changes:
        joint = superset.model.joint(f"{cabinet.name}__{change.name}")
        assert joint.range.tolist() == [change.lower, change.upper]
        assert joint.damping.tolist() == [change.damping]
