"""Training: it learns, what it writes acts as the learner does, and a killed one goes on bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cousins.errors import InputError
from sim.tasks.episode import Episode
from sim.tasks.task import Refused
from sim.tasks.task_source import TaskSource
from sim.train.config import LearningConfig, TrainingConfig, default_learning
from sim.train.evaluation import evaluate
from sim.train.policies import read_policy
from sim.train.sb3 import Sb3VecEnv
from sim.train.sb3_learners import load_policy_arrays, make_learner, normalise_env
from sim.train.training import train
from sim.train.training_envs import make_training_env
from tests.sim.worlds_for_tests import boxes

PPO = TrainingConfig(
    steps=384, rows=2, cousins=(1, 2), learning=LearningConfig(rollout=32, batch=32, epochs=2, network=(16, 16)), seed=1
)
SAC = replace(
    PPO,
    steps=160,
    replay="prioritised",
    learning=LearningConfig(algorithm="sac", warm_up=32, batch=16, gradient_steps=2, network=(16, 16)),
)


SMOOTH = replace(PPO, learning=replace(PPO.learning, explore_steps=8, last_log_deviation=-2.0))


class KilledError(Exception):
    """The end of a training, from outside."""


@pytest.mark.parametrize(("training", "steps"), [(PPO, 101), (SMOOTH, 101), (SAC, 57)], ids=["ppo", "gsde", "sac"])
def test_a_training_that_is_killed_at_any_step_goes_on_bit_for_bit(
    training: TrainingConfig, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = train(boxes(3), training, tmp_path / "unbroken")
    step, left = Sb3VecEnv.step_wait, [steps]

    def killed(self: Sb3VecEnv) -> object:
        left[0] -= 1
        if not left[0]:
            raise KilledError
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Sb3VecEnv, "step_wait", killed)
        with pytest.raises(KilledError):
            train(boxes(3), training, tmp_path / "killed")
    assert 0 < read_policy(tmp_path / "killed").card.steps < 2 * steps
    later = train(boxes(3), training, tmp_path / "killed", resume=True)
    assert later.curve == unbroken.curve
    assert later.policy.card == unbroken.policy.card
    for name, values in unbroken.policy.arrays.items():
        np.testing.assert_array_equal(later.policy.arrays[name], values, err_msg=name)


def test_a_training_asks_once_what_a_cousin_affords(monkeypatch: pytest.MonkeyPatch) -> None:
    source = boxes(3)
    episode, afforded = TaskSource.episode, []

    def counted(self: TaskSource, index: int) -> Episode | Refused:
        if index not in self._episodes:
            afforded.append(index)
        return episode(self, index)

    monkeypatch.setattr(TaskSource, "episode", counted)
    digest, env = make_training_env(source, PPO)
    assert sorted(afforded) == [0, 1, 2]
    assert env.provenance["digest"] == digest == source.digest
    env.close()


@pytest.mark.parametrize("training", [PPO, SMOOTH, SAC], ids=["ppo", "gsde", "sac"])
def test_what_was_written_acts_as_the_learner_does(training: TrainingConfig, tmp_path: Path) -> None:
    policy = train(boxes(3), training, tmp_path / "policy").policy
    _, env = make_training_env(boxes(3), training)
    learner = make_learner(normalise_env(Sb3VecEnv(env), training.learning), training.learning, seed=0)
    load_policy_arrays(learner, policy.arrays)
    observations = np.random.default_rng(0).normal(size=(20, policy.card.observations))
    expected, _ = learner.predict(learner.env.normalize_obs(observations), deterministic=True)
    np.testing.assert_allclose(policy.act(observations), expected, atol=1e-5)
    env.close()


def test_held_exploration_has_the_configured_deviation() -> None:
    steady = LearningConfig(network=(64, 64), explore_steps=8)
    for learning in (steady, replace(steady, explore_steps=0)):
        _, env = make_training_env(boxes(3), replace(PPO, learning=learning))
        learner = make_learner(normalise_env(Sb3VecEnv(env), learning), learning, seed=0)
        observations = torch.as_tensor(
            np.random.default_rng(0).normal(size=(200, env.single_observation_space.shape[0]))
        )
        deviation = learner.policy.get_distribution(observations.float()).distribution.stddev
        ratio = float(deviation.detach().mean()) / np.exp(learning.log_deviation)
        assert 0.5 < ratio <= 1.01
        env.close()


@pytest.mark.parametrize("steps", [0, 8])
def test_exploration_decreases_to_the_configured_bound(steps: int, tmp_path: Path) -> None:
    learning = replace(PPO.learning, explore_steps=steps)
    free, bound = (
        train(boxes(3), replace(PPO, steps=256, learning=config), tmp_path / str(n)).policy.arrays["log_std"]
        for n, config in enumerate((learning, replace(learning, last_log_deviation=-2.0)))
    )
    max_log_deviation = -2.0 - (0.5 * np.log(16) if steps else 0.0)
    assert free.min() > max_log_deviation + 1.0
    np.testing.assert_allclose(bound, max_log_deviation, atol=1e-6)


def test_an_update_ends_early_where_a_divergence_is_set(tmp_path: Path) -> None:
    short = replace(PPO, steps=64)
    tight = replace(short, learning=replace(short.learning, most_divergence=1e-9))
    free, limited = (
        train(boxes(3), config, tmp_path / str(n)).policy.arrays for n, config in enumerate((short, tight))
    )
    assert not np.array_equal(free["action_net.weight"], limited["action_net.weight"])


def test_where_a_hand_grasps_exploration_goes_on_and_updates_are_small() -> None:
    assert default_learning("ppo", "lift").explore_steps == 8
    assert default_learning("ppo", "lift").last_log_deviation == -2.0
    assert default_learning("ppo", "lift").most_divergence == 0.03
    assert default_learning("ppo", "push") == default_learning("ppo")
    assert default_learning("ppo").explore_steps == 0


def test_the_same_seed_gives_the_same_policy_and_another_one_another(tmp_path: Path) -> None:
    short = replace(PPO, steps=64)
    first, same, other = (
        train(boxes(3), replace(short, seed=seed), tmp_path / name).policy.arrays["action_net.weight"]
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_training_starts_from_a_policy_and_counts_its_steps(tmp_path: Path) -> None:
    short = replace(PPO, steps=64, worlds="twin")
    first = train(boxes(3), short, tmp_path / "first")
    still = replace(short, learning=replace(short.learning, learning_rate=0.0))
    second = train(boxes(3), still, tmp_path / "second", start=tmp_path / "first")
    assert second.policy.card.steps == 2 * first.policy.card.steps
    np.testing.assert_array_equal(second.policy.arrays["action_net.weight"], first.policy.arrays["action_net.weight"])


def test_a_policy_of_another_network_is_no_start(tmp_path: Path) -> None:
    short = replace(PPO, steps=64)
    train(boxes(3), short, tmp_path / "first")
    wide = replace(short, learning=replace(short.learning, network=(8,)))
    with pytest.raises(InputError, match="a policy of other arrays"):
        train(boxes(3), wide, tmp_path / "second", start=tmp_path / "first")


def test_a_folder_with_a_policy_is_not_overwritten_and_one_without_does_not_go_on(tmp_path: Path) -> None:
    short = replace(PPO, steps=64)
    with pytest.raises(InputError, match=r"no training\.json"):
        train(boxes(3), short, tmp_path / "policy", resume=True)
    train(boxes(3), short, tmp_path / "policy")
    with pytest.raises(InputError, match="Go on with it by --resume"):
        train(boxes(3), short, tmp_path / "policy")
    other = replace(short, seed=5, learning=replace(short.learning, epochs=1))
    with pytest.raises(InputError, match="begun with another learning, seed"):
        train(boxes(3), other, tmp_path / "policy", resume=True)


def test_a_damaged_state_does_not_go_on(tmp_path: Path) -> None:
    train(boxes(3), replace(PPO, steps=64), tmp_path / "policy")
    (state,) = (tmp_path / "policy").glob("state-*.safetensors")
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="cannot go on"):
        train(boxes(3), replace(PPO, steps=128), tmp_path / "policy", resume=True)


def test_more_steps_go_on_where_fewer_ended(tmp_path: Path) -> None:
    train(boxes(3), replace(PPO, steps=64), tmp_path / "policy")
    later = train(boxes(3), replace(PPO, steps=128), tmp_path / "policy", resume=True)
    assert [point["steps"] for point in later.curve][-1] == 128


def test_noise_changes_physics_and_no_shapes(tmp_path: Path) -> None:
    noisy = train(boxes(3), replace(PPO, steps=64, worlds="noise"), tmp_path / "policy")
    assert noisy.policy.card.digest == "tiny"


def test_every_episode_is_counted_and_a_start_is_the_same_for_every_policy(tmp_path: Path) -> None:
    policy = train(boxes(3), replace(PPO, steps=64), tmp_path / "policy").policy
    evaluation = evaluate(policy, pack=boxes(3), split=[0, 1, 2], episodes=7, rows=3)
    assert len(evaluation.episodes) == evaluation.success_at_end.n == 7
    assert [(episode.cousin, episode.start) for episode in evaluation.episodes] == [(n % 3, n // 3) for n in range(7)]
    again = evaluate(policy, pack=boxes(3), split=[0, 1, 2], episodes=7, rows=2)
    assert again.episodes == evaluation.episodes


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"worlds": "moon"}, "worlds 'moon'"),
        ({"replay": "best"}, "replay 'best'"),
        ({"robot": "perfect"}, "robot 'perfect'"),
        ({"learning": LearningConfig(algorithm="magic")}, "algorithm 'magic'"),  # type: ignore[arg-type]
    ],
)
def test_unknown_words_are_refused(changes: dict[str, object], match: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=match):
        train(boxes(3), replace(PPO, **changes), tmp_path / "policy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="algorithm 'magic'"):
        default_learning("magic")


def test_robots_vary_after_a_share_of_the_steps_and_half_stay_perfect(tmp_path: Path) -> None:
    from sim.envs.robot_imperfections import RobotBatch

    imperfect_robots: list[bool] = []
    begin_robot = RobotBatch.begin

    def record_begin(self: RobotBatch, row: int, rng: np.random.Generator) -> int:
        latency_steps = begin_robot(self, row, rng)
        imperfect_robots.append(bool((self.gain[row] != 1.0).any()))
        return latency_steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RobotBatch, "begin", record_begin)
        train(
            boxes(3),
            replace(PPO, worlds="cousins", cousins=(1, 2), steps=2000, horizon_s=0.5, robot_after=0.5),
            tmp_path / "policy",
        )
    # The first of each row is begun when the environment is made, before the training.
    half = len(imperfect_robots) // 2
    assert not any(imperfect_robots[PPO.rows : half - 4])
    assert 0.2 < np.mean(imperfect_robots[half + 4 :]) < 0.8
