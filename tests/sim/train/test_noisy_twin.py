"""The twin with noise: other physics under every number but 0, and the same shapes and places."""

from __future__ import annotations

import numpy as np
import pytest

from sim.tasks import build_task, task_names
from sim.train.config import TrainingConfig
from sim.train.noisy_twin import MAX_SHIFT_M, MAX_TURN_RAD, NOISE_RANGES, NoisyTwin
from sim.train.training_envs import _training_task
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


@pytest.mark.parametrize("task", [name for name in task_names() if hasattr(build_task(name).config, "start_shift_m")])
def test_starts_of_the_noisy_twin_are_drawn_from_a_wider_range_and_those_of_others_are_not(task: str) -> None:
    narrow = build_task(task).config
    for worlds in ("twin", "cousins"):
        assert _training_task(TrainingConfig(task=task, worlds=worlds)).config == narrow
    wide = _training_task(TrainingConfig(task=task, worlds="noise")).config
    assert wide.start_shift_m == MAX_SHIFT_M == 0.03
    assert wide.start_shift_m > narrow.start_shift_m
    assert getattr(wide, "start_turn_rad", MAX_TURN_RAD) == MAX_TURN_RAD == 0.5
