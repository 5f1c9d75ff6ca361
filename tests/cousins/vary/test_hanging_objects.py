"""Cousins of what hangs: it slides along its wall, whole, clear of everything, with what stands on it; or it stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.scene.layout.attachment import find_attachments
from cousins.scene.layout.collision_bodies import find_overlaps, scene_bodies
from cousins.scene.layout.hanging import attachment_gaps, hang_objects
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import Relation, Scene, Structure, hanging_supports
from cousins.vary.cousin_sampler import CousinSampler, make_cousin_sampler, sample_cousin
from cousins.vary.cousins import Cousin, build_scene
from sim.physics.backends.mujoco import Config, build
from sim.physics.motion import pose_distance
from sim.physics.simple_assets import make_scene, place, slab
from sim.validation.slot_model import SlotModel
from sim.validation.stability_trial import TrialConfig, run_trial
from tests.cousins.scene.scenes_for_tests import FRICTION, RESTITUTION, box_asset, box_piece
from tests.cousins.vary.tables_for_tests import FULL_SCALES, GAP_M, library_of, recipe_at


def wall() -> Structure:
    piece = box_piece((3.0, 0.1, 2.4), (0.0, 1.05, 1.2))
    return Structure(
        name="wall_0", kind="wall", visual=piece.mesh, pieces=(piece,), friction=FRICTION, restitution=RESTITUTION
    )


def room_with_shelf() -> Scene:
    """A shelf and a picture on a wall, a cube on the shelf, a brick on the floor."""
    scene = make_scene(
        place(box_asset("shelf", (0.6, 0.2, 0.03)), -0.5, 0.895, 1.2),
        place(box_asset("picture", (0.4, 0.02, 0.5)), 0.7, 0.985, 1.5),
        place(box_asset("cube", (0.06, 0.06, 0.06)), -0.5, 0.89, 1.245 + GAP_M),
        place(box_asset("brick", (0.1, 0.2, 0.06)), 0.2, 0.0, 0.03 + GAP_M),
        structures=(slab("floor", size_m=(3.0, 2.0, 0.05), top_m=0.0), wall()),
        name="room",
    )
    scene, _ = hang_objects(scene)
    return replace(scene, relations=find_relations(scene))


@pytest.fixture(scope="module")
def sampler() -> CousinSampler:
    return make_cousin_sampler(library_of(room_with_shelf()), recipe_at(0.0, layout=1.0), seed=0)


@pytest.fixture(scope="module")
def cousins(sampler: CousinSampler) -> list[Cousin]:
    samples = [sample_cousin(sampler, "train", (2, 1, 0, number), FULL_SCALES) for number in range(12)]
    return [sample for sample in samples if isinstance(sample, Cousin)]


def test_only_what_hangs_hangs() -> None:
    assert hanging_supports(room_with_shelf()) == {"shelf": "wall_0", "picture": "wall_0"}


def test_it_slides_along_its_wall_and_nothing_of_it_leaves_the_wall(
    sampler: CousinSampler, cousins: list[Cousin]
) -> None:
    assert len(cousins) == 12
    twin_gaps = attachment_gaps(sampler.library.scene)
    shifts = []
    for cousin in cousins:
        scene = build_scene(cousin, sampler.library)
        assert hanging_supports(scene) == {"shelf": "wall_0", "picture": "wall_0"}
        for name, (gap_m, _) in attachment_gaps(scene).items():
            assert gap_m == pytest.approx(twin_gaps[name][0], abs=2e-6)
            structure = next(item for item in scene.structures if item.name == "wall_0")
            (attachment,) = find_attachments(scene_bodies(scene)[name], [structure])
            assert attachment.backed_fraction == pytest.approx(1.0)
        shifts.append(_positions(cousin)["shelf"] - _positions(sampler.twin)["shelf"])
    assert np.abs(np.array(shifts)[:, 0]).max() > 0.1
    assert 0.0 < np.abs(np.array(shifts)[:, 2]).max() <= 0.02
    assert np.abs(np.array(shifts)[:, 1]).max() < 2e-6


def test_what_stands_on_a_shelf_goes_with_it(sampler: CousinSampler, cousins: list[Cousin]) -> None:
    for cousin in cousins:
        relations = find_relations(build_scene(cousin, sampler.library))
        assert Relation(kind="on", subject="cube", object="shelf") in relations


def test_nothing_overlaps(sampler: CousinSampler, cousins: list[Cousin]) -> None:
    for cousin in cousins:
        bodies = list(scene_bodies(build_scene(cousin, sampler.library)).values())
        for index, first in enumerate(bodies):
            for second in bodies[index + 1 :]:
                assert not find_overlaps(first, second, tolerance_m=1e-5), (first.name, second.name)


def test_without_layout_variation_it_stays_as_in_the_twin(sampler: CousinSampler) -> None:
    still = make_cousin_sampler(sampler.library, recipe_at(0.0), seed=0)
    cousin = sample_cousin(still, "train", (2, 1, 0, 0), FULL_SCALES)
    assert isinstance(cousin, Cousin)
    assert {name: position.tolist() for name, position in _positions(cousin).items()} == {
        name: position.tolist() for name, position in _positions(still.twin).items()
    }


def test_neighbours_on_a_wall_stay_together(sampler: CousinSampler) -> None:
    scene = sampler.library.scene
    tied = replace(scene, relations=(*scene.relations, Relation(kind="next to", subject="shelf", object="picture")))
    beside = make_cousin_sampler(replace(sampler.library, scene=tied), recipe_at(0.0, layout=1.0), seed=0)
    assert beside.plan.sliding == {}
    assert sampler.plan.sliding == {"shelf": "wall_0", "picture": "wall_0"}


def test_the_slot_model_has_the_shelf_where_the_compiled_cousin_has_it(
    sampler: CousinSampler, cousins: list[Cousin]
) -> None:
    slot_model = SlotModel(sampler.library, clutter=0)
    with build(Config()) as engine:
        for cousin in cousins[:3]:
            fast = slot_model.run_trial(cousin, TrialConfig())
            slow = run_trial(build_scene(cousin, sampler.library), engine)
            assert fast.failures == slow.failures == ()
            assert pose_distance(fast.rest["cube"], slow.rest["cube"])[0] < 1e-4


def _positions(cousin: Cousin) -> dict[str, np.ndarray]:
    return {instance.name: np.array(instance.position_m) for instance in cousin.objects}
