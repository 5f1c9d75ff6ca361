"""Films: which episodes are shown, what the pictures and captions show, both files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cousins.errors import InputError
from cousins.geometry import Array
from sim.recording import Rollout
from sim.recording.film import BAD, EMPTY, GOOD, FilmConfig, choose, loop_path, write_film
from sim.recording.rendering import CameraConfig, DrawnCamera
from tests.sim.recording.rollouts_for_tests import recorded_env, some


class Plain:
    """A camera whose picture is as bright as the step's number."""

    width, height = 160, 32

    def film(self, rollout: Rollout, *, steps: Iterable[int] | None = None) -> Iterator[Array]:
        for step in range(rollout.steps) if steps is None else steps:
            yield np.full((self.height, self.width, 3), 20 * step, dtype=np.uint8)


def test_episodes_are_chosen_by_chance_alone() -> None:
    episodes = [(number % 10, number // 10) for number in range(100)]
    chosen = choose(episodes, 6, seed=3)
    assert len(set(chosen)) == 6
    assert chosen == choose(episodes, 6, seed=3) == sorted(chosen, key=episodes.index)
    assert chosen != choose(episodes, 6, seed=4)
    assert choose(episodes[:2], 6, seed=0) == episodes[:2]
    seen = {one for seed in range(200) for one in choose(episodes, 6, seed=seed)}
    assert seen == set(episodes)


def test_a_film_is_a_video_and_a_looping_picture_of_the_same_pictures(tmp_path: Path) -> None:
    rollouts = some(recorded_env(), 3)
    loop = write_film(rollouts, Plain(), tmp_path / "film.mp4", FilmConfig(loop="gif"))
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
    one = some(recorded_env(), 1)[0]
    pair = [replace(one, success_at_end=True), replace(one, success_at_end=False)]
    write_film(pair, Plain(), tmp_path / "film.mp4", FilmConfig())
    with Image.open(tmp_path / "film.webp") as picture:
        page = np.asarray(picture.convert("RGB")).astype(float)
    np.testing.assert_allclose(page[2:16, 148:158].mean(axis=(0, 1)), GOOD, atol=25)
    np.testing.assert_allclose(page[2:16, 308:318].mean(axis=(0, 1)), BAD, atol=25)


def test_an_episode_that_never_began_has_its_tile_too(tmp_path: Path) -> None:
    env = recorded_env()
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    write_film(some(env, 2), Plain(), tmp_path / "film.mp4", FilmConfig())
    with av.open(str(tmp_path / "film.mp4")) as film:
        last = list(film.decode(video=0))[-1].to_ndarray(format="rgb24")
    np.testing.assert_allclose(last[40, 200], EMPTY, atol=8)


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "film.webp").touch()
    with pytest.raises(InputError, match="there already"):
        write_film(some(recorded_env(), 1), Plain(), tmp_path / "film.mp4", FilmConfig())


@pytest.mark.parametrize(("name", "loop", "found"), [("film.avi", "gif", "film.avi"), ("film.mp4", "png", "'png'")])
def test_an_unknown_kind_of_film_is_told(name: str, loop: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        loop_path(Path(name), FilmConfig(loop=loop))


def test_both_cameras_see_the_box_and_the_film_alone_the_goal() -> None:
    env = recorded_env()
    one = some(env, 1)[0]
    small = CameraConfig(width=64, height=48, samples=1)
    plain = next(DrawnCamera("fixed", env, small).film(one))
    marked = next(DrawnCamera("fixed", env, CameraConfig(width=64, height=48, samples=1, goal=True)).film(one))
    down = np.tile(np.array([0.0, 1.0, 0.0, 0.0]), (one.steps, 1))
    above = one.state.tip_position_m + np.array([0.4, 0.0, 0.2])
    lifted = replace(one, state=replace(one.state, tip_quat_wxyz=down, tip_position_m=above))
    wrist = next(DrawnCamera("wrist", env, small).film(lifted))
    assert plain.shape == wrist.shape == (48, 64, 3)
    differ = (plain != marked).any(axis=2)
    assert 5 < differ.sum() < 600
    green = marked[differ].astype(int)
    assert (green[:, 1] > green[:, 0]).all()
    assert plain.std() > 5.0
    assert wrist.std() > 5.0


def test_pictures_of_chosen_steps_are_those_of_all_steps() -> None:
    env = recorded_env()
    one = some(env, 1)[0]
    camera = DrawnCamera("fixed", env, CameraConfig(width=32, height=24, samples=1))
    every = list(camera.film(one))
    assert len(every) == one.steps
    for number, picture in zip((2, 7), camera.film(one, steps=(2, 7)), strict=True):
        np.testing.assert_array_equal(picture, every[number])
    assert not np.array_equal(every[0], every[-1])
