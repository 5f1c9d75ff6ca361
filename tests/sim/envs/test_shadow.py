"""The shadow world: hidden physics that are the same for the same seed and never reported."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from cousins.reconstruct.assets import Asset
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from cousins.vary.distributions import Constant, Distribution
from sim.envs.robot_imperfections import RobotImperfections
from sim.envs.shadow import FRICTION_LIMITS, LABEL, ShadowRanges, ShadowSource, describe_ranges, shadow_robot
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset, slab
from tests.sim.worlds_for_tests import cousin_of, push_task


class Boxes:
    """A source of two boxes, alike in all cousins."""

    digest = "boxes"

    def cousin(self, index: int) -> Cousin:
        return cousin_of(self.scene(index), index, push_task())

    def scene(self, index: int) -> Scene:
        del index
        boxes = [rigid_asset(f"box_{i}", [box_piece([0.1, 0.1, 0.1])], mass_kg=0.3, restitution=0.1) for i in range(2)]
        return make_scene(*[place(box, 0.2 * i, 0.0, 0.05) for i, box in enumerate(boxes)], structures=[slab()])


def numbers(asset: Asset) -> tuple[float, float, float]:
    return asset.links[0].mass_kg.value, asset.friction.value, asset.restitution.value


def all_numbers(source: ShadowSource, index: int) -> list[tuple[float, float, float]]:
    return [numbers(placed.asset) for placed in source.scene(index).objects]


def test_the_same_seed_hides_the_same_and_another_hides_another() -> None:
    assert all_numbers(ShadowSource(Boxes(), seed=3), 5) == all_numbers(ShadowSource(Boxes(), seed=3), 5)
    assert all_numbers(ShadowSource(Boxes(), seed=3), 5) != all_numbers(ShadowSource(Boxes(), seed=4), 5)
    assert all_numbers(ShadowSource(Boxes(), seed=3), 5) != all_numbers(ShadowSource(Boxes(), seed=3), 6)
    assert len(set(all_numbers(ShadowSource(Boxes(), seed=3), 5))) == 2


def test_hidden_physics_stay_inside_the_ranges_and_fill_them() -> None:
    shadow, ranges = ShadowSource(Boxes(), seed=0), ShadowRanges()
    physics = np.array([row for index in range(200) for row in all_numbers(shadow, index)])
    for column, (believed, span) in enumerate(((0.3, ranges.mass), (0.5, ranges.friction))):
        low, high = span.bounds
        factors = physics[:, column] / believed
        assert factors.min() >= low - 1e-12
        assert factors.max() <= high + 1e-12
        assert factors.min() < low * 1.05
        assert factors.max() > high * 0.95
    assert physics[:, 2].min() >= 0.1
    assert physics[:, 2].max() <= 0.3


def test_inertia_goes_with_mass_and_shapes_and_places_stay() -> None:
    source = Boxes()
    true, believed = ShadowSource(source, seed=1).scene(0), source.scene(0)
    for hidden, believed_object in zip(true.objects, believed.objects, strict=True):
        factor = hidden.asset.links[0].mass_kg.value / believed_object.asset.links[0].mass_kg.value
        assert hidden.asset.links[0].inertia_kg_m2 == pytest.approx(
            factor * believed_object.asset.links[0].inertia_kg_m2
        )
        assert np.array_equal(hidden.world_from_asset, believed_object.world_from_asset)
        assert np.array_equal(
            hidden.asset.links[0].pieces[0].mesh.vertices, believed_object.asset.links[0].pieces[0].mesh.vertices
        )
    assert true.structures[0].friction.value != believed.structures[0].friction.value


def test_friction_stays_possible() -> None:
    slippery = replace(ShadowRanges(), friction=Constant(value=1e-3))
    assert all_numbers(ShadowSource(Boxes(), seed=1, ranges=slippery), 0)[0][1] == FRICTION_LIMITS[0]


def test_a_shadow_returns_the_believed_cousin_and_hides_the_sampled_physics() -> None:
    shadow = ShadowSource(Boxes(), seed=1)
    assert shadow.cousin(2) == Boxes().cousin(2)
    assert shadow.signatures(2).keys() == {"box_0", "box_1"}
    description = describe_ranges(shadow.ranges)
    assert description["label"] == LABEL == shadow.label == "sim-to-sim"
    assert description["ranges"]["mass"] == "{ log_uniform = [0.5, 2] }"


def test_another_seed_or_range_is_another_source() -> None:
    wide = replace(ShadowRanges(), mass=Constant(value=3.0))
    sources = [
        ShadowSource(Boxes(), seed=1),
        ShadowSource(Boxes(), seed=2),
        ShadowSource(Boxes(), seed=1, ranges=wide),
    ]
    assert len({source.digest for source in sources} | {"boxes"}) == 4
    assert ShadowSource(Boxes(), seed=1).digest == sources[0].digest
    assert sources[0].digest.startswith("sim-to-sim:")


def test_the_shadow_robot_is_drawn_by_seed_inside_its_ranges() -> None:
    ranges = ShadowRanges()
    robots = [shadow_robot(seed, drives=2) for seed in range(50)]
    assert shadow_robot(7, drives=2) == robots[7] != robots[8]
    assert {robot.latency_steps for robot in robots} == {1, 2, 3}
    for field in fields(RobotImperfections):
        span: Distribution = getattr(ranges.robot, field.name)
        drawn = np.array([getattr(robot, field.name) for robot in robots])
        assert 0.0 < span.bounds[0] <= drawn.min() < drawn.max() <= span.bounds[1]
