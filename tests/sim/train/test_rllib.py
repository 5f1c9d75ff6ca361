"""Training on a Ray cluster: running means over workers, rows of a worker, and a run that loses a worker on its way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)

from ray.rllib.core.rl_module.rl_module import RLModule
from ray.rllib.env.single_agent_episode import SingleAgentEpisode

from cousins.errors import InputError
from cousins.geometry import Array
from sim.train.config import VARIANCE_FLOOR, LearningConfig, TrainingConfig, default_learning
from sim.train.evaluation import evaluate
from sim.train.policies import read_policy
from sim.train.rllib import train_on_ray
from sim.train.rllib.normalising import ObservationNormaliser, moments_from_list, moments_of
from sim.train.rllib.rows import WorkerVectorEnv, make_worker_env
from sim.train.training_progress import ProgressReport
from tests.cousins.pack.packs_for_tests import small_pack
from tests.sim.envs.test_env import fake_env
from tests.sim.worlds_for_tests import boxes

SHORT = TrainingConfig(
    steps=5000, rows=4, twin_share=0.0, learning=LearningConfig(rollout=32, batch=64, epochs=2, network=(16, 16))
)


def normalised_by(normaliser: ObservationNormaliser, values: Array) -> Array:
    """Show observations [n, size] in one step, and return what they become."""
    rows = [SingleAgentEpisode() for _ in values]
    for row, value in zip(rows, values, strict=True):
        row.add_env_reset(observation=value)
    normaliser(rl_module=None, batch={}, episodes=rows)
    return np.array([row.get_observations(-1) for row in rows])


def test_means_over_workers_are_those_of_all_observations() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(5.0, 2.0, (4, 2, 50, 3))
    driver, workers = ObservationNormaliser(), [ObservationNormaliser(), ObservationNormaliser()]
    for round_values in values:
        for worker, worker_values in zip(workers, round_values, strict=True):
            for start in range(0, 50, 10):
                normalised_by(worker, worker_values[start : start + 10])
        merged = driver.merge_states([worker.get_state() for worker in workers])
        for worker in workers:
            worker.set_state(merged)
    flat = values.reshape(-1, 3)
    assert driver.merged.count == len(flat)
    np.testing.assert_allclose(driver.merged.mean, flat.mean(0))
    np.testing.assert_allclose(driver.merged.variance, flat.var(0))
    again = moments_from_list(driver.merged.to_list())
    np.testing.assert_array_equal(again.squares, driver.merged.squares)


def test_observations_of_a_worker_are_scaled_as_a_policy_scales_them() -> None:
    normaliser = ObservationNormaliser()
    values = np.random.default_rng(1).normal(-3.0, 0.5, (40, 2))
    values[:, 1] = 0.7
    scaled = normalised_by(normaliser, values)
    np.testing.assert_allclose(
        scaled[:, 0], (values[:, 0] - values[:, 0].mean()) / np.sqrt(values[:, 0].var() + VARIANCE_FLOOR), 1e-5
    )
    np.testing.assert_allclose(scaled[:, 1], 0.0, atol=1e-6)
    assert normaliser.pending.count == moments_of(values).count == 40


def test_workers_with_neighbouring_seeds_begin_in_other_ways() -> None:
    first, second = (WorkerVectorEnv(fake_env(2, horizon_s=1.0), discount=0.9) for _ in range(2))
    first_observations, second_observations = first.reset(seed=1)[0], second.reset(seed=2)[0]
    assert len(np.unique(np.concatenate([first_observations, second_observations]), axis=0)) == 4
    np.testing.assert_array_equal(second.reset(seed=1)[0], first_observations)


def test_rows_report_ended_episodes_alone_and_scale_rewards() -> None:
    plain, rows = fake_env(2, horizon_s=0.2), WorkerVectorEnv(fake_env(2, horizon_s=0.2), discount=0.9)
    seeds: list[Any] = [3, 4]
    plain.reset(seed=seeds)
    rows.reset(seed=seeds)
    ended = 0
    for _ in range(6):
        plain_step, scaled_step = plain.step(np.ones((2, 2))), rows.step(np.ones((2, 2)))
        np.testing.assert_allclose(scaled_step[1], 0.1 * plain_step[1])
        assert ("return" in scaled_step[4]) == ("metrics" in plain_step[4])
        ended += "return" in scaled_step[4]
    assert ended


def test_a_worker_has_its_share_of_the_rows_and_of_the_twins_steps() -> None:
    training = TrainingConfig(steps=1000, rows=5, twin_share=0.2, cousins=(1, 2))
    rows = make_worker_env({"pack": boxes(3), "training": training, "workers": 2})
    assert rows.num_envs == 3
    sampler: Any = rows.cousins_env.sampler
    assert (sampler.twin_steps, sampler.steps_taken) == (100, 0)
    rows.set_steps_taken(70)
    rows.set_steps_taken(30)
    assert sampler.steps_taken == 70
    rows.close()


def test_what_ray_does_not_do_is_refused_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="algorithm 'sac' on Ray"):
        train_on_ray(tmp_path, TrainingConfig(learning=default_learning("sac")), tmp_path / "policy")
    (tmp_path / "training.json").write_text('{"training": {}}')
    with pytest.raises(InputError, match="begun with --runner local"):
        train_on_ray(tmp_path, SHORT, tmp_path, resume=True)
    with pytest.raises(InputError, match="a policy in"):
        train_on_ray(tmp_path, SHORT, tmp_path)


def worker_processes() -> list[psutil.Process]:
    """Return the processes that collect rollouts for this one."""
    children = psutil.Process().children(recursive=True)
    return [
        process for process in children if "ray::SingleAgentEnvRunner" in " ".join([process.name(), *process.cmdline()])
    ]


@pytest.mark.ray
@pytest.mark.slow
def test_a_training_on_two_workers_finishes_though_one_of_them_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    small_pack(tmp_path / "pack", count=6)
    killed: list[int] = []

    def kill_a_worker(progress: ProgressReport) -> None:
        if not killed:
            workers = worker_processes()
            assert len(workers) == 2
            workers[0].kill()
            killed.append(workers[0].pid)
        elif not progress.workers_replaced:
            time.sleep(1.0)

    trained = train_on_ray(tmp_path / "pack", SHORT, tmp_path / "policy", workers=2, on_progress=kill_a_worker)
    assert killed
    assert trained.workers_replaced == 1
    assert trained.curve[-1]["steps"] >= SHORT.steps
    assert trained.curve[-1]["steps"] == trained.policy.card.steps
    assert sum(point["episodes"] for point in trained.curve) > 0
    assert any((tmp_path / "policy/logs").iterdir())
    assert_acts_as_rllib_does(tmp_path / "policy")
    evaluation = evaluate(read_policy(tmp_path / "policy"), pack=tmp_path / "pack", split="train", episodes=2)
    assert evaluation.success_at_end.n == 2


def assert_acts_as_rllib_does(folder: Path) -> None:
    import torch

    policy = read_policy(folder)
    (module_folder,) = folder.glob("rllib-*/learner_group/learner/rl_module/default_policy")
    observations = np.random.default_rng(0).normal(size=(20, policy.card.observations))
    scale = np.sqrt(policy.arrays["observation.var"] + VARIANCE_FLOOR)
    scaled = np.clip((observations - policy.arrays["observation.mean"]) / scale, -10.0, 10.0)
    module = RLModule.from_checkpoint(module_folder)
    outputs = module.forward_inference({"obs": torch.as_tensor(scaled, dtype=torch.float32)})
    expected = outputs["action_dist_inputs"][:, : policy.card.actions].numpy()
    np.testing.assert_allclose(policy.act(observations), np.clip(expected, -1.0, 1.0), atol=1e-5)
