"""A cousin moves in the slot model as in a model compiled for it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins.errors import EngineError
from cousins.vary.cousin_sampler import CousinSampler, Rejection, make_cousin_sampler, sample_cousin
from cousins.vary.cousins import AXES, Cousin, Library, build_scene
from cousins.vary.distance import distances
from cousins.vary.distributions import Constant
from cousins.vary.placement.clutter import max_clutter_count
from cousins.vary.recipes import ClutterRange, Recipe
from sim.physics.backends.mujoco import Config, build
from sim.physics.motion import pose_distance
from sim.physics.simple_assets import make_scene, place
from sim.validation.slot_model import SlotModel, has_free_rigid_objects
from sim.validation.stability_trial import TrialConfig, run_trial
from tests.cousins.scene.scenes_for_tests import box_asset, cabinet_asset
from tests.cousins.vary.tables_for_tests import FULL_SCALES, recipe_at, sampler_at, table_library, variant

LONG = TrialConfig(settled_m=10.0, settled_rad=10.0, overlap_m=1.0, creep_m=10.0, creep_rad=10.0)


@pytest.fixture(scope="module")
def sampler() -> CousinSampler:
    clutter = ClutterRange(add=Constant(value=2), remove=Constant(value=1))
    return make_cousin_sampler(table_library(), replace(recipe_at(0.8, clutter=1.0), clutter=clutter), seed=0)


@pytest.fixture(scope="module")
def slot_model(sampler: CousinSampler) -> SlotModel:
    return SlotModel(sampler.library, clutter=max_clutter_count(sampler.recipe))


def cousins_of(sampler: CousinSampler, count: int, *, split: str = "train") -> list[Cousin]:
    draws = [sample_cousin(sampler, split, (2, 1, 0, number), FULL_SCALES) for number in range(2 * count)]
    return [cousin for cousin in draws if isinstance(cousin, Cousin)][:count]


def test_poses_are_those_of_the_compiled_scene(sampler: CousinSampler, slot_model: SlotModel) -> None:
    cousins = [sampler.twin, *cousins_of(sampler, 4), *cousins_of(sampler_at(0.8, clutter=0.0), 2, split="heldout_far")]
    assert any(
        len(instance.objects) != len(sampler.twin.objects) or "clutter_0" in str(instance.objects)
        for instance in cousins
    )
    with build(Config()) as engine:
        for cousin in cousins:
            fast = slot_model.run_trial(cousin, TrialConfig())
            slow = run_trial(build_scene(cousin, sampler.library), engine)
            assert fast.failures == slow.failures
            assert fast.depth_m == pytest.approx(slow.depth_m, abs=1e-6)
            assert set(fast.rest) == set(slow.rest) == {instance.name for instance in cousin.objects}
            for name, pose in fast.rest.items():
                distance_m, angle = pose_distance(slow.rest[name], pose)
                assert distance_m < 1e-4, name
                assert angle < 1e-4, name


def test_an_object_that_falls_does_so_in_both_models(sampler: CousinSampler, slot_model: SlotModel) -> None:
    (cousin,) = cousins_of(sampler, 1)
    lifted = replace(cousin.objects[0], position_m=(*cousin.objects[0].position_m[:2], 1.1))
    cousin = replace(cousin, objects=(lifted, *cousin.objects[1:]))
    with build(Config()) as engine:
        fast = slot_model.run_trial(cousin, TrialConfig())
        slow = run_trial(build_scene(cousin, sampler.library), engine)
    assert fast.failures == slow.failures == ("an object moves away or falls",)
    assert pose_distance(slow.rest[lifted.name], fast.rest[lifted.name])[0] < 1e-4


def test_masses_inertias_and_frictions_are_the_cousins_own(sampler: CousinSampler, slot_model: SlotModel) -> None:
    for cousin in cousins_of(sampler, 3):
        slot_model.load_cousin(cousin)
        scene = build_scene(cousin, sampler.library)
        with build(Config()) as engine:
            engine.load(scene)
            truth = engine._model
            for instance in cousin.objects:
                body = slot_model.model.body(f"slot__{instance.name}")
                compiled_body = truth.body(instance.name)
                np.testing.assert_allclose(body.mass, compiled_body.mass, rtol=1e-6)
                np.testing.assert_allclose(body.ipos, compiled_body.ipos, atol=2e-6)
                np.testing.assert_allclose(np.sort(body.inertia), np.sort(compiled_body.inertia), rtol=1e-3)


def test_a_trial_does_not_depend_on_the_cousins_loaded_before(sampler: CousinSampler, slot_model: SlotModel) -> None:
    first, second = cousins_of(sampler, 2)
    alone = SlotModel(sampler.library, clutter=max_clutter_count(sampler.recipe)).run_trial(first, LONG)
    slot_model.run_trial(second, LONG)
    again = slot_model.run_trial(first, LONG)
    for name, pose in alone.rest.items():
        assert again.rest[name].tobytes() == pose.tobytes(), name


def test_overlapping_objects_are_reported(sampler: CousinSampler, slot_model: SlotModel) -> None:
    box, can, *rest = sampler.twin.objects
    near = replace(can, position_m=(box.position_m[0] + 0.03, *can.position_m[1:]))
    trial = slot_model.run_trial(replace(sampler.twin, objects=(box, near, *rest)), TrialConfig())
    assert trial.failures == ("overlap at the start",)
    assert trial.depth_m > 0.01


def test_a_state_that_explodes_is_an_error(
    sampler: CousinSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to a file there
    slot_model = SlotModel(sampler.library, clutter=2)
    slot_model.load_cousin(sampler.twin)
    slot_model.data.qvel[:] = np.nan
    with pytest.raises(EngineError, match="exploded"):
        slot_model._step(10)


def test_a_free_articulated_object_has_no_slot_and_is_rejected() -> None:
    cabinet, box = cabinet_asset(), box_asset()
    scene = make_scene(place(cabinet, 0.0, 0.0, 0.25), place(box, 1.0, 0.0, 0.025))
    variants = {asset.name: variant(asset.name, asset, asset, "twin") for asset in (cabinet, box)}
    alone = Library(scene=scene, variants={cabinet.name: variants[cabinet.name]})
    assert not has_free_rigid_objects(alone)
    with pytest.raises(EngineError, match="nothing that is free is rigid"):
        SlotModel(alone, clutter=0)
    both = Library(scene=scene, variants=variants)
    assert has_free_rigid_objects(both)
    slot_model = SlotModel(both, clutter=0)
    twin = make_cousin_sampler(both, Recipe(), seed=0).twin
    assert not slot_model.can_hold(twin)
    with pytest.raises(EngineError, match="something free has joints"):
        slot_model.load_cousin(twin)


def test_joints_of_fixed_objects_take_the_parameters_of_the_cousin() -> None:
    cabinet, box = cabinet_asset(), box_asset()
    scene = make_scene(replace(place(cabinet, 0.0, 0.0, 0.25), fixed=True), place(box, 1.0, 0.0, 0.025))
    variants = {asset.name: variant(asset.name, asset, asset, "twin") for asset in (cabinet, box)}
    library = Library(scene=scene, variants=variants)
    sampler = make_cousin_sampler(library, Recipe().at_distance(0.0, axes={"joints": 1.0}), seed=0)
    cousin = next(
        candidate
        for key in range(20)
        if not isinstance(candidate := sample_cousin(sampler, "train", (key,), np.ones(len(AXES))), Rejection)
    )
    changes = next(instance for instance in cousin.objects if instance.fixed).joints
    assert distances(cousin, library, sampler.twin)["joints"] > 0.0
    slot_model = SlotModel(library, clutter=0)
    slot_model.load_cousin(cousin)
    assert len(changes) == sum(joint.kind != "fixed" for joint in cabinet.joints)
    for change in changes:
        joint = slot_model.model.joint(f"{cabinet.name}__{change.name}")
        assert joint.range.tolist() == [change.lower, change.upper]
        assert joint.damping.tolist() == [change.damping]
