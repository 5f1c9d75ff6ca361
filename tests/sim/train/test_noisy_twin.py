"""The twin with noise: other physics under every number but 0, and the same shapes and places."""

from __future__ import annotations

import numpy as np

from sim.train.noisy_twin import NOISE_RANGES, NoisyTwin
from tests.sim.worlds_for_tests import boxes


def test_number_0_is_the_twin_and_the_others_differ_in_physics_alone() -> None:
    source = boxes(3)
    noisy = NoisyTwin(source, twin=1, seed=4)
    twin = source.scene(1).objects[0]
    assert noisy.scene(0) is source.scene(1)
    masses, frictions = set(), set()
    for index in (1, 2, 3):
        placed = noisy.scene(index).objects[0]
        np.testing.assert_array_equal(placed.world_from_asset, twin.world_from_asset)
        np.testing.assert_array_equal(placed.asset.size_m, twin.asset.size_m)
        factor = placed.asset.links[0].mass_kg.value / twin.asset.links[0].mass_kg.value
        assert 0.7 <= factor <= 1.4
        masses.add(factor)
        frictions.add(placed.asset.friction.value)
        assert noisy.cousin(index).task == source.cousin(1).task
        assert noisy.cousin(index).index == index
    assert len(masses) == len(frictions) == 3


def test_the_seed_decides_and_changes_the_digest() -> None:
    first, same, other = (NoisyTwin(boxes(3), seed=seed) for seed in (1, 1, 2))
    mass = [source.scene(5).objects[0].asset.links[0].mass_kg.value for source in (first, same, other)]
    assert mass[0] == mass[1] != mass[2]
    assert first.digest == same.digest != other.digest


def test_noise_is_milder_than_a_shadow_world() -> None:
    from sim.envs.shadow import ShadowRanges

    wide = ShadowRanges()
    for name in ("mass", "friction", "restitution", "joint_damping", "joint_friction"):
        assert getattr(wide, name).low <= getattr(NOISE_RANGES, name).low
        assert getattr(NOISE_RANGES, name).high <= getattr(wide, name).high
