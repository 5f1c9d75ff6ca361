"""Environments over worlds without physics: seeds, episode ends, resets, faults, infos."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import sim
from cousins.errors import InputError
from sim.bodies import build
from sim.bodies.controllers import Controller, ee_delta
from sim.envs.cousin_sampler import UniformAffordedSampler
from sim.envs.env import CousinsEnv
from sim.envs.episodes import EpisodeConfig, Episodes
from sim.envs.robot_imperfections import RobotImperfectionRanges, RobotImperfections
from sim.envs.vector_env import CousinsVectorEnv
from sim.physics.simple_assets import place
from sim.tasks import build_task
from sim.tasks.task_source import TaskSource
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.sim.worlds_for_tests import TOP_M, FakeWorlds, box_scene, boxes

AHEAD = np.array([1.0, 0.0])


def fake_env(
    rows: int = 2,
    *,
    robot: RobotImperfections | RobotImperfectionRanges | None = None,
    count: int = 3,
    horizon_s: float = 1.0,
    **options,
) -> CousinsVectorEnv:  # type: ignore[no-untyped-def]
    source, body = boxes(count), build("pusher")
    staged = TaskSource(source, build_task("push", horizon_s=horizon_s), body.name)
    indices = sorted(source.scenes)
    worlds = FakeWorlds(source, body, rows=rows, slots=staged.slots(indices))
    episodes = Episodes(
        worlds,
        staged,
        Controller(ee_delta(body), body, rows),
        robot=robot or RobotImperfections(),
        config=EpisodeConfig(),
    )
    return CousinsVectorEnv(episodes, UniformAffordedSampler(staged, indices), provenance={"digest": "tiny"}, **options)


def rolled(env: CousinsVectorEnv, steps: int, *, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [env.step(rng.uniform(-1, 1, env.action_space.shape))[0] for _ in range(steps)]


def test_the_same_seed_gives_the_same_episodes_and_another_seed_others() -> None:
    env = fake_env()
    first, _ = env.reset(seed=3)
    after = rolled(env, 30)
    again, _ = env.reset(seed=3)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(np.stack(after), np.stack(rolled(env, 30)))
    assert not np.array_equal(env.reset(seed=4)[0], first)


def test_row_i_of_many_does_what_a_batch_of_one_does() -> None:
    batch, single = fake_env(3), fake_env(1)
    start, _ = batch.reset(seed=[5, 6, 7])
    alone, _ = single.reset(seed=[6])
    np.testing.assert_array_equal(start[1], alone[0])
    for _ in range(45):
        batch_step, single_step = batch.step(np.tile(AHEAD, (3, 1))), single.step(AHEAD[None])
        np.testing.assert_array_equal(batch_step[0][1], single_step[0][0])
        assert batch_step[1][1] == single_step[1][0]
        assert batch_step[3][1] == single_step[3][0]
        assert batch_step[4]["cousin"][1] == single_step[4]["cousin"][0]


def test_with_next_step_the_ended_row_is_reset_by_the_following_step() -> None:
    env = fake_env(2)
    env.reset(seed=0)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    for _ in range(19):
        assert not env.step(env.action_space.sample())[3].any()
    last = env.step(env.action_space.sample())
    assert last[3].all()
    assert not last[2].any()
    assert (last[4]["metrics"]["length"] == 20).all()
    fresh = env.step(np.ones((2, 2)))
    assert not fresh[3].any()
    assert (fresh[1] == 0.0).all()
    np.testing.assert_array_equal(fresh[0][:, :2], 0.0)
    assert "metrics" not in fresh[4]
    for _ in range(20):
        ended = env.step(env.action_space.sample())
    assert ended[3].all()


def test_with_same_step_the_last_observation_is_kept_beside_the_first() -> None:
    env = fake_env(2, autoreset="same_step")
    env.reset(seed=0)
    for _ in range(20):
        observations, _, _, truncated, info = env.step(np.tile(AHEAD, (2, 1)))
    assert truncated.all()
    np.testing.assert_array_equal(observations[:, :2], 0.0)
    assert info["final_obs"][0][0] > 0.2
    assert (info["final_info"]["metrics"]["length"] == 20).all()
    assert not env.step(np.tile(AHEAD, (2, 1)))[3].any()


def test_with_resets_disabled_an_ended_row_is_idle_until_its_mask_resets_it() -> None:
    env = fake_env(2, autoreset="disabled")
    env.reset(seed=0)
    env.episodes.worlds.faults[0] = "a stalled worker"  # type: ignore[attr-defined]
    _, reward, terminated, truncated, info = env.step(np.tile(AHEAD, (2, 1)))
    assert truncated.tolist() == [True, False]
    assert not terminated.any()
    assert reward[0] == 0.0
    assert info["sim_fault"].tolist() == ["a stalled worker", ""]
    assert info["_metrics"].tolist() == [True, False]
    observations, reward, _, truncated, info = env.step(np.tile(AHEAD, (2, 1)))
    assert truncated.tolist() == [True, False]
    assert reward[0] == 0.0
    assert "sim_fault" not in info
    assert "metrics" not in info
    after, info = env.reset(options={"reset_mask": np.array([True, False])})
    np.testing.assert_array_equal(after[1], observations[1])
    assert not env.step(np.tile(AHEAD, (2, 1)))[3].any()


def test_a_fault_ends_only_its_own_row_and_the_next_episode_goes_on() -> None:
    env = fake_env(2)
    env.reset(seed=0)
    bad = np.tile(AHEAD, (2, 1))
    bad[1] = np.nan
    observations, _, _, truncated, info = env.step(bad)
    assert truncated.tolist() == [False, True]
    assert info["sim_fault"][1] == "a command is NaN"
    assert np.isfinite(observations).all()
    _, _, _, truncated, info = env.step(np.tile(AHEAD, (2, 1)))
    assert not truncated.any()
    assert "sim_fault" not in info
    assert np.isfinite(env.step(np.tile(AHEAD, (2, 1)))[0]).all()


def test_a_cousin_that_no_engine_loads_is_reported_and_another_one_sampled() -> None:
    env = fake_env(1)
    env.episodes.worlds.refused = {1, 2}  # type: ignore[attr-defined]
    infos = [env.reset(seed=seed)[1] for seed in range(8)]
    assert all(info["cousin"][0] == 0 for info in infos)
    assert any("no such luck" in str(info.get("skipped")) for info in infos)


def test_options_choose_the_cousin_and_one_that_affords_nothing_is_refused() -> None:
    env = fake_env(2)
    assert env.reset(options={"cousin": 2})[1]["cousin"].tolist() == [2, 2]
    assert env.reset(options={"cousin": [1, 0]})[1]["cousin"].tolist() == [1, 0]
    env.episodes.task_source.source.tasks[1] = env.episodes.task_source.source.cousin(1).task.__class__(  # type: ignore[attr-defined]
        target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.0, robot_base_m=(0.0, 0.0, 0.0), robot_yaw_rad=0.0
    )
    env.episodes.task_source._episodes.clear()
    with pytest.raises(InputError, match="cousin 1, which does not afford push"):
        env.reset(options={"cousin": 1})


def test_an_object_dragged_to_its_goal_and_held_is_a_success() -> None:
    env = fake_env(1, horizon_s=4.0)
    env.reset(seed=0, options={"cousin": 1})
    for _ in range(80):
        target = env.episodes.rows.goal_m[0, 0] - env.episodes.worlds.position[0, 0, 0]  # type: ignore[attr-defined]
        info = env.step(np.array([[1.0 if target > 0.01 else 0.0, 0.0]]))[4]
    assert info["metrics"]["success_once"][0]
    assert info["metrics"]["success_at_end"][0]
    assert info["metrics"]["at_end"]["metaworld"][0]
    assert info["metrics"]["return"][0] > 20.0
    assert info["progress"][0] == 1.0


def test_success_ends_an_episode_only_where_that_is_asked_for() -> None:
    env = fake_env(1, horizon_s=4.0, end_at_success=True)
    env.reset(seed=0, options={"cousin": 1})
    ends = []
    for step in range(80):
        target = env.episodes.rows.goal_m[0, 0] - env.episodes.worlds.position[0, 0, 0]  # type: ignore[attr-defined]
        _, _, terminated, truncated, info = env.step(np.array([[1.0 if target > 0.01 else 0.0, 0.0]]))
        ends += [step] if terminated[0] else []
        assert not truncated[0]
        if ends:
            break
    assert ends
    assert info["metrics"]["success_at_end"][0]
    assert info["held_s"][0] == pytest.approx(1.0)


def test_a_goal_that_is_reached_for_less_than_a_second_is_no_success() -> None:
    env = fake_env(1, horizon_s=8.0, end_at_success=True)
    env.reset(seed=0, options={"cousin": 1})
    held_s = [0.0]
    for _ in range(100):
        target = env.episodes.rows.goal_m[0, 0] - env.episodes.worlds.position[0, 0, 0]  # type: ignore[attr-defined]
        is_leaving = held_s[-1] > 0.85
        action = -1.0 if is_leaving else 1.0 if target > 0.01 else 0.0
        _, _, terminated, _, info = env.step(np.array([[action, 0.0]]))
        held_s.append(float(info["held_s"][0]))
        assert not terminated[0]
        if is_leaving and held_s[-1] == 0.0:
            break
    assert 0.85 < max(held_s) < 1.0
    assert held_s[-1] == 0.0
    assert env.episodes.hold_steps == round(1.0 / env.episodes.step_s)
    assert not (env._metrics.held >= env._metrics.hold_steps).any()


def test_an_episode_that_ends_at_its_goal_too_soon_is_no_success_at_its_end() -> None:
    env = fake_env(1, horizon_s=4.0)
    env.reset(seed=0, options={"cousin": 1})
    for step in range(80):
        target = env.episodes.rows.goal_m[0, 0] - env.episodes.worlds.position[0, 0, 0]  # type: ignore[attr-defined]
        is_late = step > 68
        action = 0.0 if not is_late and target < 0.09 else 1.0 if target > 0.01 else 0.0
        info = env.step(np.array([[action, 0.0]]))[4]
    assert info["metrics"]["success_once"][0]
    assert info["metrics"]["at_end"]["ours"][0]
    assert not info["metrics"]["success_at_end"][0]


def test_starts_differ_between_rows_and_between_episodes() -> None:
    env = fake_env(3)
    starts = []
    for _ in range(4):
        env.reset(seed=3 if not starts else None, options={"cousin": 1})
        starts += [tuple(place) for place in env.episodes.worlds.position[:, 0, :2]]  # type: ignore[attr-defined]
    assert len(set(starts)) == len(starts)
    assert np.ptp(np.array(starts), axis=0).min() > 0.005


def test_groups_show_masses_and_frictions_to_a_critic_alone() -> None:
    env = fake_env(2, observations="groups")
    observations, _ = env.reset(seed=0, options={"cousin": [0, 2]})
    assert set(observations) == {"policy", "privileged"}
    assert env.single_observation_space.contains({name: value[0] for name, value in observations.items()})
    masses = [env.episodes.task_source.scene(index).objects[0].asset.links[0].mass_kg.value for index in (0, 2)]
    np.testing.assert_allclose(observations["privileged"][:, 0], masses, rtol=1e-6)


def test_noise_is_in_the_observations_and_not_in_the_rewards() -> None:
    clean, noisy = fake_env(1), fake_env(1, robot=RobotImperfections(position_noise_m=0.01, angle_noise_rad=0.05))
    first, second = clean.reset(seed=1)[0], noisy.reset(seed=1)[0]
    assert 1e-4 < np.abs(first - second).max() < 0.5
    clean_step, noisy_step = clean.step(AHEAD[None]), noisy.step(AHEAD[None])
    assert clean_step[1] == noisy_step[1]


def test_latency_and_gain_change_when_and_how_far_it_moves() -> None:
    positions = {}
    for name, robot in {
        "plain": RobotImperfections(),
        "late": RobotImperfections(latency_steps=2),
        "strong": RobotImperfections(gain=1.3),
    }.items():
        source, body = boxes(1), build("pusher")
        staged = TaskSource(source, build_task("push"), body.name)
        worlds = FakeWorlds(source, body, rows=1, slots=staged.slots([0]))
        env = CousinsVectorEnv(
            Episodes(worlds, staged, Controller(ee_delta(body), body, 1), robot=robot, config=EpisodeConfig()),
            UniformAffordedSampler(staged, [0]),
        )
        env.reset(seed=0)
        positions[name] = [float(env.step(AHEAD[None])[0][0, 0]) for _ in range(4)]
    assert positions["late"][:2] == [0.0, 0.0]
    assert positions["late"][2] == pytest.approx(positions["plain"][0], rel=1e-5)
    assert positions["strong"][0] == pytest.approx(1.3 * positions["plain"][0], rel=1e-5)


def test_each_episode_draws_a_robot_of_its_own_whatever_the_other_rows_are() -> None:
    ranges = RobotImperfectionRanges()
    batch, single = fake_env(8, robot=ranges), fake_env(1, robot=ranges)
    together, alone = (
        batch.reset(seed=[5] * 8, options={"cousin": 0})[0],
        single.reset(seed=5, options={"cousin": 0})[0],
    )
    np.testing.assert_array_equal(together, np.repeat(alone, 8, axis=0))
    batch.reset(seed=0, options={"cousin": 0})
    moved = np.zeros((8, 4))
    for step in range(4):
        moved[:, step] = batch.step(np.tile(AHEAD, (8, 1)))[0][:, 0]
    first = [int(np.flatnonzero(row)[0]) for row in moved]
    assert len(set(first)) > 1
    robots = batch.episodes.robots.arrays()
    assert first == robots["late"].tolist()
    np.testing.assert_allclose(
        moved[np.arange(8), first] / moved[0, first[0]], robots["gain"][:, 0] / robots["gain"][0, 0], rtol=1e-5
    )


def test_stepping_before_a_reset_and_odd_masks_are_refused() -> None:
    env = fake_env(2)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros((2, 2)))
    with pytest.raises(InputError, match="array of 2 bools"):
        env.reset(options={"reset_mask": [True, False]})
    with pytest.raises(InputError, match="one for each of 2 rows"):
        env.reset(options={"cousin": [1, 2, 3]})
    with pytest.raises(InputError, match="next_step, same_step, disabled"):
        fake_env(1, autoreset="never")


def test_gymnasium_finds_no_fault_with_a_single_environment() -> None:
    env = gym.make("cousins/Push-v0", pack=boxes(2), split=[0, 1])
    assert isinstance(env.unwrapped, CousinsEnv)
    assert env.spec is not None
    assert env.spec.kwargs["digest"] == "tiny"
    assert env.spec.kwargs["engine"] == "mujoco"
    check_env(env.unwrapped, skip_render_check=True)
    _, info = env.reset(seed=1, options={"cousin": 1})
    assert info["cousin"] == 1
    assert info["digest"] == "tiny"
    env.close()


def test_gymnasium_finds_no_fault_with_groups_either() -> None:
    env = gym.make("cousins/Push-v0", pack=boxes(1), split=[0], observations="groups", body="gripper")
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_a_cousin_that_the_environment_was_not_made_for_is_refused_where_it_shows_more() -> None:
    source = boxes(2)
    source.scenes[1] = box_scene(more=(place(box_asset("brick", (0.1, 0.1, 0.04)), 0.0, 0.2, TOP_M + 0.02001),))
    env = gym.make("cousins/Push-v0", pack=source, split=[0])
    with pytest.raises(InputError, match="cousin 1, which shows 'brick'"):
        env.reset(options={"cousin": 1})
    env.close()


def test_make_vec_gives_rows_and_a_wrong_digest_is_refused() -> None:
    assert sim.__doc__
    envs = gym.make_vec("cousins/Push-v0", num_envs=3, pack=boxes(2), split=[0, 1])
    assert isinstance(envs, CousinsVectorEnv)
    assert envs.reset(seed=0)[0].shape == (3, *envs.single_observation_space.shape)
    assert envs.spec.kwargs["engine_version"] == envs.episodes.worlds.version
    envs.close()
    with pytest.raises(InputError, match="would not compare"):
        gym.make_vec("cousins/Push-v0", num_envs=3, pack=boxes(2), split=[0, 1], digest="other")
    with pytest.raises(InputError, match="no body named 'hammer'; expected one of gripper, panda, pusher"):
        gym.make("cousins/Push-v0", pack=boxes(2), split=[0, 1], body="hammer")


def test_a_shadow_world_has_hidden_physics_and_says_what_it_is() -> None:
    envs = gym.make_vec("cousins/Push-v0", num_envs=1, pack=boxes(1), split=[0], shadow=5)
    plain = gym.make_vec("cousins/Push-v0", num_envs=1, pack=boxes(1), split=[0])
    assert isinstance(envs, CousinsVectorEnv)
    assert envs.reset(seed=0)[1]["label"][0] == "sim-to-sim"
    assert "label" not in plain.reset(seed=0)[1]
    for _ in range(10):
        hidden, believed = envs.step(AHEAD[None])[0], plain.step(AHEAD[None])[0]
    assert abs(hidden[0, 0] - believed[0, 0]) > 0.01
    assert envs.spec.kwargs["digest"] == "tiny"
    envs.close()
    plain.close()


def test_a_feedback_sampler_receives_every_episode() -> None:
    env = fake_env(2, autoreset="same_step")

    class RecordingSampler(UniformAffordedSampler):
        recorded: list[tuple[int, dict[str, float]]] = []  # noqa: RUF012

        def record_episode(self, index: int, metrics: dict[str, float]) -> None:
            self.recorded.append((index, metrics))

    env.sampler = RecordingSampler(env.episodes.task_source, [0, 1, 2])
    env.reset(seed=0, options={"cousin": [2, 1]})
    for _ in range(20):
        env.step(np.tile(AHEAD, (2, 1)))
    assert [index for index, _ in RecordingSampler.recorded] == [2, 1]
    assert RecordingSampler.recorded[0][1]["length"] == 20.0
    assert RecordingSampler.recorded[0][1]["sim_fault"] == 0.0


def test_a_first_cousin_that_no_engine_loads_does_not_keep_the_environment_from_being_made() -> None:
    source, body = boxes(3), build("pusher")
    staged = TaskSource(source, build_task("push"), body.name)
    worlds = FakeWorlds(source, body, rows=1, slots=staged.slots([0, 1, 2]))
    worlds.refused = {0}
    episodes = Episodes(
        worlds, staged, Controller(ee_delta(body), body, 1), robot=RobotImperfections(), config=EpisodeConfig()
    )
    env = CousinsVectorEnv(episodes, UniformAffordedSampler(staged, [0, 1, 2]))
    assert env.reset(seed=0)[1]["cousin"][0] in (1, 2)


def test_actions_are_never_repeated_or_cut_to_fit() -> None:
    env = fake_env(2)
    env.reset(seed=1)
    for actions in (0.5, [0.5, 0.5], np.zeros((1, 2)), np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(4)):
        with pytest.raises(InputError, match=r"actions of shape .*expected shape \(2, 2\)"):
            env.step(actions)
    env.step(np.zeros((2, 2)))
