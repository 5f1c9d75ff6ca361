"""Cameras: where they stand, what they see, and that what hides the action is looked around."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.envs.vector_env import CousinsVectorEnv
from sim.physics.simple_assets import slab
from sim.recording.rendering import CameraConfig, DrawnCamera
from tests.sim.recording.rollouts_for_tests import recording_env, sample_rollouts
from tests.sim.worlds_for_tests import TOP_M, TinySource

SMALL = CameraConfig(width=48, height=36, supersampling=1)


def first_images(env: CousinsVectorEnv, config: CameraConfig = SMALL) -> list[np.ndarray]:
    camera = DrawnCamera("fixed", env, config)
    return [next(camera.render_rollout(rollout)) for rollout in sample_rollouts(env, 4)]


def test_the_fixed_camera_stands_still_in_a_cousin_whatever_the_start() -> None:
    env = recording_env(1)
    first, again = (sample_rollouts(env, 4)[number] for number in (0, 3))
    assert (first.cousin, first.start) != (again.cousin, again.start)
    assert first.cousin == again.cousin
    camera = DrawnCamera("fixed", env, SMALL)
    moved = replace(again, state=first.state)
    np.testing.assert_array_equal(next(camera.render_rollout(moved)), next(camera.render_rollout(first)))


def test_a_camera_looks_around_what_is_in_its_way() -> None:
    env, hidden = recording_env(1), recording_env(1)
    one_side = CameraConfig(width=48, height=36, supersampling=1, azimuths_rad=(-0.9,))
    other_side = CameraConfig(width=48, height=36, supersampling=1, azimuths_rad=(0.9,))
    board = slab("board", size_m=(0.3, 0.3, 0.02), top_m=TOP_M + 0.45)
    board = replace(board, visual=board.visual.transformed(_translation(0.28, -0.33)))
    source = hidden.episodes.task_source.source
    assert isinstance(source, TinySource)
    for index, scene in list(source.scenes.items()):
        source.scenes[index] = replace(scene, structures=(*scene.structures, board))
    np.testing.assert_array_equal(first_images(env)[0], first_images(env, one_side)[0])
    np.testing.assert_array_equal(first_images(hidden)[0], first_images(hidden, other_side)[0])


def _translation(x: float, y: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, 3] = x, y
    return pose
