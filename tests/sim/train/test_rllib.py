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
from sim.train.config import FLOOR, Learning, Training, learning_of
from sim.train.evaluation import evaluate
from sim.train.policies import read_policy
from sim.train.rllib import train_on_ray
from sim.train.rllib.normalising import Normaliser, moments_from, moments_of
from sim.train.rllib.rows import RunnerRows, rows_of
from sim.train.training_progress import Progress
from tests.cousins.pack.packs_for_tests import small_pack
from tests.sim.envs.test_env import fake_env
from tests.sim.worlds_for_tests import boxes

SHORT = Training(
    steps=5000, rows=4, twin_share=0.0, learning=Learning(rollout=32, batch=64, epochs=2, network=(16, 16))
)


def seen_by(normaliser: Normaliser, values: Array) -> Array:
    """Show observations [n, size] in one step, and return what they become."""
    rows = [SingleAgentEpisode() for _ in values]
    for row, value in zip(rows, values, strict=True):
        row.add_env_reset(observation=value)
    normaliser(rl_module=None, batch={}, episodes=rows)
    return np.array([row.get_observations(-1) for row in rows])


def test_means_over_workers_are_those_of_all_that_was_seen() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(5.0, 2.0, (4, 2, 50, 3))
    driver, workers = Normaliser(), [Normaliser(), Normaliser()]
    for round_of in values:
        for worker, own in zip(workers, round_of, strict=True):
            for start in range(0, 50, 10):
                seen_by(worker, own[start : start + 10])
        merged = driver.merge_states([worker.get_state() for worker in workers])
        for worker in workers:
            worker.set_state(merged)
    flat = values.reshape(-1, 3)
    assert driver.known.count == len(flat)
    np.testing.assert_allclose(driver.known.mean, flat.mean(0))
    np.testing.assert_allclose(driver.known.variance, flat.var(0))
    again = moments_from(driver.known.told())
    np.testing.assert_array_equal(again.squares, driver.known.squares)


def test_what_a_worker_sees_is_scaled_as_a_policy_scales_it() -> None:
    normaliser = Normaliser()
    values = np.random.default_rng(1).normal(-3.0, 0.5, (40, 2))
    values[:, 1] = 0.7
    scaled = seen_by(normaliser, values)
    np.testing.assert_allclose(
        scaled[:, 0], (values[:, 0] - values[:, 0].mean()) / np.sqrt(values[:, 0].var() + FLOOR), 1e-5
    )
    np.testing.assert_allclose(scaled[:, 1], 0.0, atol=1e-6)
    assert normaliser.fresh.count == moments_of(values).count == 40


def test_workers_with_neighbouring_seeds_begin_in_other_ways() -> None:
    first, second = (RunnerRows(fake_env(2, horizon_s=1.0), discount=0.9) for _ in range(2))
    one, other = first.reset(seed=1)[0], second.reset(seed=2)[0]
    assert len(np.unique(np.concatenate([one, other]), axis=0)) == 4
    np.testing.assert_array_equal(second.reset(seed=1)[0], one)


def test_rows_tell_of_ended_episodes_alone_and_scale_rewards() -> None:
    plain, rows = fake_env(2, horizon_s=0.2), RunnerRows(fake_env(2, horizon_s=0.2), discount=0.9)
    seeds: list[Any] = [3, 4]
    plain.reset(seed=seeds)
    rows.reset(seed=seeds)
    ended = 0
    for _ in range(6):
        wanted, found = plain.step(np.ones((2, 2))), rows.step(np.ones((2, 2)))
        np.testing.assert_allclose(found[1], 0.1 * wanted[1])
        assert ("return" in found[4]) == ("metrics" in wanted[4])
        ended += "return" in found[4]
    assert ended


def test_a_worker_has_its_share_of_the_rows_and_of_the_twins_steps() -> None:
    training = Training(steps=1000, rows=5, twin_share=0.2, cousins=(1, 2))
    rows = rows_of({"pack": boxes(3), "training": training, "workers": 2})
    assert rows.num_envs == 3
    sampler: Any = rows.rows.sampler
    assert (sampler.steps, sampler.done) == (100, 0)
    rows.go_on(70)
    rows.go_on(30)
    assert sampler.done == 70
    rows.close()


def test_what_ray_does_not_do_is_refused_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="algorithm 'sac' on Ray"):
        train_on_ray(tmp_path, Training(learning=learning_of("sac")), tmp_path / "policy")
    (tmp_path / "training.json").write_text('{"training": {}}')
    with pytest.raises(InputError, match="begun with --runner local"):
        train_on_ray(tmp_path, SHORT, tmp_path, resume=True)
    with pytest.raises(InputError, match="a policy in"):
        train_on_ray(tmp_path, SHORT, tmp_path)


def workers_here() -> list[psutil.Process]:
    """Return the processes that collect rollouts for this one."""
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "ray::SingleAgentEnvRunner" in " ".join([one.name(), *one.cmdline()])]


@pytest.mark.ray
def test_a_training_on_two_workers_finishes_though_one_of_them_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    small_pack(tmp_path / "pack", count=6)
    killed: list[int] = []

    def tell(progress: Progress) -> None:
        if not killed:
            workers = workers_here()
            assert len(workers) == 2
            workers[0].kill()
            killed.append(workers[0].pid)
        elif not progress.replaced:
            time.sleep(1.0)

    trained = train_on_ray(tmp_path / "pack", SHORT, tmp_path / "policy", workers=2, tell=tell)
    assert killed
    assert trained.replaced == 1
    assert trained.curve[-1]["steps"] >= SHORT.steps
    assert trained.curve[-1]["steps"] == trained.policy.card.steps
    assert sum(point["episodes"] for point in trained.curve) > 0
    assert any((tmp_path / "policy/logs").iterdir())
    assert_acts_as_rllib_does(tmp_path / "policy")
    found = evaluate(read_policy(tmp_path / "policy"), pack=tmp_path / "pack", split="train", episodes=2)
    assert found.at_end.n == 2


def assert_acts_as_rllib_does(folder: Path) -> None:
    import torch

    policy = read_policy(folder)
    (kept,) = folder.glob("rllib-*/learner_group/learner/rl_module/default_policy")
    seen = np.random.default_rng(0).normal(size=(20, policy.card.observations))
    spread = np.sqrt(policy.arrays["observation.var"] + FLOOR)
    scaled = np.clip((seen - policy.arrays["observation.mean"]) / spread, -10.0, 10.0)
    module = RLModule.from_checkpoint(kept)
    told = module.forward_inference({"obs": torch.as_tensor(scaled, dtype=torch.float32)})
    wanted = told["action_dist_inputs"][:, : policy.card.actions].numpy()
    np.testing.assert_allclose(policy.act(seen), np.clip(wanted, -1.0, 1.0), atol=1e-5)
