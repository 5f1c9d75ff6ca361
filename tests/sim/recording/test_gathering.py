"""Rollouts from worlds without physics: what is kept, that every episode counts, and that rows do not matter."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from cousins.errors import InputError
from sim.recording import Rollout, about_of, gather, plan_of
from sim.worlds.worlds import State
from tests.sim.envs.test_env import fake_env
from tests.sim.recording.rollouts_for_tests import recorded_env, some

ARRAYS = ("policy", "privileged", "action", "reward", "progress", "successes")


def assert_same(first: Rollout, second: Rollout) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for field in fields(State):
        np.testing.assert_array_equal(getattr(first.state, field.name), getattr(second.state, field.name))
    assert (first.cousin, first.start, first.seed) == (second.cousin, second.start, second.seed)
    assert (first.success_at_end, first.fault, first.once) == (second.success_at_end, second.fault, second.once)


def test_episodes_are_spread_evenly_over_the_cousins_and_all_are_kept() -> None:
    env = recorded_env()
    rollouts = some(env, 5)
    assert [(one.cousin, one.start) for one in rollouts] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    assert len({one.seed for one in rollouts}) == 5
    for one in rollouts:
        assert one.steps == 10
        assert all(len(getattr(one, name)) == 10 for name in ARRAYS)
        assert all(len(getattr(one.state, field.name)) == 10 for field in fields(State))
        assert one.truncated
        assert not one.terminated


def test_how_many_rows_there_are_makes_no_difference() -> None:
    for first, second in zip(some(recorded_env(1)), some(recorded_env(4)), strict=True):
        assert_same(first, second)


def test_what_is_seen_is_from_before_the_action_and_what_came_of_it_from_after() -> None:
    env = recorded_env(1)
    one = next(gather(env, [(0, 0)], act=lambda seen: np.full((len(seen), 2), 0.5), seed=4))
    assert (one.action == 0.5).all()
    seen, _ = env.reset(seed=one.seed, options={"cousin": 0})
    np.testing.assert_array_equal(one.policy[0], seen["policy"][0])
    np.testing.assert_array_equal(one.state.tip_position_m[0], env.episodes.worlds.read().tip_position_m[0])
    after, reward, *_ = env.step(np.full((1, 2), 0.5))
    np.testing.assert_array_equal(one.policy[1], after["policy"][0])
    assert one.reward[0] == np.float32(reward[0])


def test_a_policy_that_reaches_its_goal_is_told_a_success() -> None:
    env = recorded_env(2, horizon_s=3.0, hold_s=0.0)

    def drag(seen: np.ndarray) -> np.ndarray:
        state = env.episodes.worlds.read()
        tips, boxes = state.tip_position_m[:, :2], state.position_m[:, 0, :2]
        far = np.linalg.norm(boxes - tips, axis=1, keepdims=True) > 0.058
        return np.where(far, boxes - tips, np.array([0.15, 0.0]) - boxes) * 10.0

    rollouts = list(gather(env, [(0, number) for number in range(4)], act=drag, seed=1))
    assert any(one.success_once for one in rollouts)
    assert any(one.success_at_end for one in rollouts)
    for one in rollouts:
        assert one.success_once == one.successes[:, 0].any()
        assert one.once == dict(zip(one.about.profiles, one.successes.any(axis=0).tolist(), strict=True))
        assert one.at_end == dict(zip(one.about.profiles, one.successes[-1].tolist(), strict=True))


def test_a_world_that_breaks_ends_its_own_episode_and_is_told() -> None:
    def wild(seen: np.ndarray) -> np.ndarray:
        actions = np.zeros((len(seen), 2))
        actions[0] = np.nan
        return actions

    broken, whole = gather(recorded_env(2), [(0, 0), (1, 0)], act=wild)
    assert broken.fault == "a command is NaN"
    assert (broken.steps, broken.truncated, broken.success_at_end) == (1, True, False)
    assert np.isfinite(broken.policy).all()
    assert (whole.fault, whole.steps) == ("", 10)


def test_a_cousin_that_no_engine_begins_is_an_episode_without_steps() -> None:
    env = recorded_env(2)
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    first, refused, third = some(env, 3)
    assert (refused.cousin, refused.steps) == (1, 0)
    assert "no such luck" in refused.fault
    assert not refused.success_at_end
    assert refused.policy.shape == (0, first.policy.shape[1])
    assert refused.state.position_m.shape == (0, *first.state.position_m.shape[1:])
    assert first.steps == third.steps == 10


def test_all_that_rollouts_share_is_told_once() -> None:
    told = about_of(recorded_env())
    assert (told.digest, told.engine, told.task, told.body) == ("tiny", "fake", "push", "pusher")
    assert told.actions == ("x", "y")
    assert told.step_s == pytest.approx(0.05)
    assert told.profiles[0] == "ours"


def test_an_environment_that_resets_itself_is_not_recorded() -> None:
    with pytest.raises(InputError, match="resets itself"):
        next(gather(fake_env(), [(0, 0)]))


def test_a_plan_for_no_cousins_is_refused() -> None:
    with pytest.raises(InputError, match="none of which affords push"):
        plan_of(recorded_env(), [], 3)
