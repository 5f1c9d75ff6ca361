"""Films: which episodes are shown, what the pictures and captions show, both files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cousins.errors import InputError
from sim.recording.film import (
    EMPTY_COLOR,
    FAILURE_COLOR,
    SUCCESS_COLOR,
    FilmConfig,
    loop_path,
    select_episodes,
    write_film,
)
from sim.recording.rendering import CameraConfig, DrawnCamera
from tests.sim.recording.rollouts_for_tests import StepNumberCamera, recording_env, sample_rollouts


def test_episodes_are_selected_at_random() -> None:
    episodes = [(number % 10, number // 10) for number in range(100)]
    selected = select_episodes(episodes, 6, seed=3)
    assert len(set(selected)) == 6
    assert selected == select_episodes(episodes, 6, seed=3) == sorted(selected, key=episodes.index)
    assert selected != select_episodes(episodes, 6, seed=4)
    assert select_episodes(episodes[:2], 6, seed=0) == episodes[:2]
    all_selected = {episode for seed in range(200) for episode in select_episodes(episodes, 6, seed=seed)}
    assert all_selected == set(episodes)


def test_a_film_is_a_video_and_a_looping_picture_of_the_same_pictures(tmp_path: Path) -> None:
    rollouts = sample_rollouts(recording_env(), 3)
    loop = write_film(rollouts, StepNumberCamera(), tmp_path / "film.mp4", FilmConfig(loop="gif"))
    assert loop == tmp_path / "film.gif"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "film.mp4"]
    with av.open(str(tmp_path / "film.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 10
    assert len(frames) == 5 + 10
    assert frames[0].shape == (2 * 50, 2 * 160, 3)
    assert [int(frame[40, 48].mean() + 0.5) for frame in frames[:5]] == pytest.approx([0, 40, 80, 120, 160], abs=6)
    with Image.open(loop) as picture:
        assert picture.info["loop"] == 0
        assert picture.size == (320, 100)


def test_a_caption_is_green_only_at_success(tmp_path: Path) -> None:
    rollout = sample_rollouts(recording_env(), 1)[0]
    pair = [replace(rollout, success_at_end=True), replace(rollout, success_at_end=False)]
    write_film(pair, StepNumberCamera(), tmp_path / "film.mp4", FilmConfig())
    with Image.open(tmp_path / "film.webp") as picture:
        page = np.asarray(picture.convert("RGB")).astype(float)
    np.testing.assert_allclose(page[2:16, 148:158].mean(axis=(0, 1)), SUCCESS_COLOR, atol=25)
    np.testing.assert_allclose(page[2:16, 308:318].mean(axis=(0, 1)), FAILURE_COLOR, atol=25)


def test_an_episode_that_never_began_has_its_tile_too(tmp_path: Path) -> None:
    env = recording_env()
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    write_film(sample_rollouts(env, 2), StepNumberCamera(), tmp_path / "film.mp4", FilmConfig())
    with av.open(str(tmp_path / "film.mp4")) as film:
        last = list(film.decode(video=0))[-1].to_ndarray(format="rgb24")
    np.testing.assert_allclose(last[40, 200], EMPTY_COLOR, atol=8)


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "film.webp").touch()
    with pytest.raises(InputError, match="there already"):
        write_film(sample_rollouts(recording_env(), 1), StepNumberCamera(), tmp_path / "film.mp4", FilmConfig())


@pytest.mark.parametrize(("name", "loop", "message"), [("film.avi", "gif", "film.avi"), ("film.mp4", "png", "'png'")])
def test_an_unknown_film_format_is_refused(name: str, loop: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        loop_path(Path(name), FilmConfig(loop=loop))


def test_both_cameras_see_the_box_and_the_film_alone_the_goal() -> None:
    env = recording_env()
    rollout = sample_rollouts(env, 1)[0]
    small = CameraConfig(width=64, height=48, supersampling=1)
    plain = next(DrawnCamera("fixed", env, small).render_rollout(rollout))
    marked = next(
        DrawnCamera("fixed", env, CameraConfig(width=64, height=48, supersampling=1, show_goal=True)).render_rollout(
            rollout
        )
    )
    down = np.tile(np.array([0.0, 1.0, 0.0, 0.0]), (rollout.steps, 1))
    above = rollout.state.tip_position_m + np.array([0.4, 0.0, 0.2])
    lifted = replace(rollout, state=replace(rollout.state, tip_quat_wxyz=down, tip_position_m=above))
    wrist = next(DrawnCamera("wrist", env, small).render_rollout(lifted))
    assert plain.shape == wrist.shape == (48, 64, 3)
    differ = (plain != marked).any(axis=2)
    assert 5 < differ.sum() < 600
    green = marked[differ].astype(int)
    assert (green[:, 1] > green[:, 0]).all()
    assert plain.std() > 5.0
    assert wrist.std() > 5.0


def test_pictures_of_chosen_steps_are_those_of_all_steps() -> None:
    env = recording_env()
    rollout = sample_rollouts(env, 1)[0]
    camera = DrawnCamera("fixed", env, CameraConfig(width=32, height=24, supersampling=1))
    every = list(camera.render_rollout(rollout))
    assert len(every) == rollout.steps
    for number, picture in zip((2, 7), camera.render_rollout(rollout, steps=(2, 7)), strict=True):
        np.testing.assert_array_equal(picture, every[number])
    assert not np.array_equal(every[0], every[-1])
