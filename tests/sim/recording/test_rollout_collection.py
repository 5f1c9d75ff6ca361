"""Rollouts from worlds without physics: what is kept, that every episode counts, and that rows do not matter."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from cousins.errors import InputError
from sim.recording import Rollout, collect_rollouts, plan_episodes, run_metadata
from sim.worlds.worlds import State
from tests.sim.envs.test_env import fake_env
from tests.sim.recording.rollouts_for_tests import recording_env, sample_rollouts

ARRAYS = ("policy", "privileged", "action", "reward", "progress", "successes")


def assert_same(first: Rollout, second: Rollout) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for field in fields(State):
        np.testing.assert_array_equal(getattr(first.state, field.name), getattr(second.state, field.name))
    assert (first.cousin, first.start, first.seed) == (second.cousin, second.start, second.seed)
    assert (first.success_at_end, first.fault, first.profiles_once) == (
        second.success_at_end,
        second.fault,
        second.profiles_once,
    )


def test_episodes_are_spread_evenly_over_the_cousins_and_all_are_kept() -> None:
    env = recording_env()
    rollouts = sample_rollouts(env, 5)
    assert [(rollout.cousin, rollout.start) for rollout in rollouts] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    assert len({rollout.seed for rollout in rollouts}) == 5
    for rollout in rollouts:
        assert rollout.steps == 10
        assert all(len(getattr(rollout, name)) == 10 for name in ARRAYS)
        assert all(len(getattr(rollout.state, field.name)) == 10 for field in fields(State))
        assert rollout.truncated
        assert not rollout.terminated


def test_how_many_rows_there_are_makes_no_difference() -> None:
    for first, second in zip(sample_rollouts(recording_env(1)), sample_rollouts(recording_env(4)), strict=True):
        assert_same(first, second)


def test_observations_are_from_before_the_action_and_results_from_after_it() -> None:
    env = recording_env(1)
    rollout = next(collect_rollouts(env, [(0, 0)], act=lambda policy: np.full((len(policy), 2), 0.5), seed=4))
    assert (rollout.action == 0.5).all()
    observations, _ = env.reset(seed=rollout.seed, options={"cousin": 0})
    np.testing.assert_array_equal(rollout.policy[0], observations["policy"][0])
    np.testing.assert_array_equal(rollout.state.tip_position_m[0], env.episodes.worlds.read().tip_position_m[0])
    after, reward, *_ = env.step(np.full((1, 2), 0.5))
    np.testing.assert_array_equal(rollout.policy[1], after["policy"][0])
    assert rollout.reward[0] == np.float32(reward[0])


def test_a_policy_that_reaches_its_goal_counts_as_success() -> None:
    env = recording_env(2, horizon_s=3.0, hold_s=0.0)

    def drag(observations: np.ndarray) -> np.ndarray:
        state = env.episodes.worlds.read()
        tips, boxes = state.tip_position_m[:, :2], state.position_m[:, 0, :2]
        far = np.linalg.norm(boxes - tips, axis=1, keepdims=True) > 0.058
        return np.where(far, boxes - tips, np.array([0.15, 0.0]) - boxes) * 10.0

    rollouts = list(collect_rollouts(env, [(0, number) for number in range(4)], act=drag, seed=1))
    assert any(rollout.success_once for rollout in rollouts)
    assert any(rollout.success_at_end for rollout in rollouts)
    for rollout in rollouts:
        assert rollout.success_once == rollout.successes[:, 0].any()
        assert rollout.profiles_once == dict(
            zip(rollout.metadata.profiles, rollout.successes.any(axis=0).tolist(), strict=True)
        )
        assert rollout.profiles_at_end == dict(
            zip(rollout.metadata.profiles, rollout.successes[-1].tolist(), strict=True)
        )


def test_a_world_that_breaks_ends_only_its_own_episode_with_a_fault() -> None:
    def wild(observations: np.ndarray) -> np.ndarray:
        actions = np.zeros((len(observations), 2))
        actions[0] = np.nan
        return actions

    broken, unbroken = collect_rollouts(recording_env(2), [(0, 0), (1, 0)], act=wild)
    assert broken.fault == "a command is NaN"
    assert (broken.steps, broken.truncated, broken.success_at_end) == (1, True, False)
    assert np.isfinite(broken.policy).all()
    assert (unbroken.fault, unbroken.steps) == ("", 10)


def test_a_cousin_that_no_engine_begins_is_an_episode_without_steps() -> None:
    env = recording_env(2)
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    first, refused, third = sample_rollouts(env, 3)
    assert (refused.cousin, refused.steps) == (1, 0)
    assert "no such luck" in refused.fault
    assert not refused.success_at_end
    assert refused.policy.shape == (0, first.policy.shape[1])
    assert refused.state.position_m.shape == (0, *first.state.position_m.shape[1:])
    assert first.steps == third.steps == 10


def test_run_metadata_names_pack_engine_task_and_body() -> None:
    metadata = run_metadata(recording_env())
    assert (metadata.digest, metadata.engine, metadata.task, metadata.body) == ("tiny", "fake", "push", "pusher")
    assert metadata.actions == ("x", "y")
    assert metadata.step_s == pytest.approx(0.05)
    assert metadata.profiles[0] == "ours"


def test_an_environment_that_resets_itself_is_not_recorded() -> None:
    with pytest.raises(InputError, match="resets itself"):
        next(collect_rollouts(fake_env(), [(0, 0)]))


def test_a_plan_for_no_cousins_is_refused() -> None:
    with pytest.raises(InputError, match="none of which affords push"):
        plan_episodes(recording_env(), [], 3)
