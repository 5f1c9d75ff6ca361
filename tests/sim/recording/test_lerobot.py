"""LeRobotDataset v3.0, read back as LeRobot's own loader does: names, dtypes, indices, times, statistics, videos."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cousins.errors import InputError, UnknownNameError
from sim.recording import Rollout, collect_rollouts, make_writer, run_metadata, write_rollouts
from sim.recording.rendering import make_cameras
from tests.sim.recording.rollouts_for_tests import recording_env, sample_rollouts

LOADED = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


@pytest.fixture(scope="module")
def rollouts() -> list[Rollout]:
    return sample_rollouts(recording_env(), 5)


@pytest.fixture(scope="module")
def folder(rollouts: list[Rollout], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lerobot") / "set"
    env = recording_env()
    written = write_rollouts(
        rollouts, run_metadata(env), folder, writer=make_writer("lerobot"), cameras=make_cameras(["fixed"], env)
    )
    assert (written.episodes, written.steps) == (5, 50)
    return folder


def info_of(folder: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((folder / "meta/info.json").read_text())
    return info


def episodes_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    return rows


def data_of(folder: Path) -> pa.Table:
    info, sheet = info_of(folder), episodes_of(folder)[0]
    path = info["data_path"].format(chunk_index=sheet["data/chunk_index"], file_index=sheet["data/file_index"])
    return pq.read_table(folder / path)


def test_the_info_names_the_version_and_counts_all(folder: Path) -> None:
    info = info_of(folder)
    assert info["codebase_version"] == "v3.0"
    assert json.loads((folder / "meta/cousins.json").read_text())["about"]["digest"] == "tiny"
    assert (info["fps"], info["robot_type"]) == (20, "pusher")
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (5, 50, 1)
    assert info["splits"] == {"train": "0:5"}
    assert {name: info["features"][name]["dtype"] for name in LOADED} == LOADED


def test_each_column_has_the_dtype_and_shape_of_the_info(folder: Path) -> None:
    features, table = info_of(folder)["features"], data_of(folder)
    stored = {name: feature for name, feature in features.items() if feature["dtype"] != "video"}
    assert table.column_names == list(stored)
    for name, feature in stored.items():
        kind = pa.from_numpy_dtype(np.dtype(feature["dtype"]))
        expected_type = kind if feature["shape"] == [1] else pa.list_(kind, feature["shape"][0])
        assert table.schema.field(name).type == expected_type
        assert table.column(name).null_count == 0
        assert feature["names"] is None or len(feature["names"]) == feature["shape"][-1]


def test_episodes_follow_one_another_without_a_gap(folder: Path) -> None:
    table, first = data_of(folder).to_pydict(), 0
    for number, sheet in enumerate(episodes_of(folder)):
        assert (sheet["episode_index"], sheet["dataset_from_index"]) == (number, first)
        after = first + sheet["length"]
        assert sheet["dataset_to_index"] == after
        assert table["episode_index"][first:after] == [number] * sheet["length"]
        assert table["frame_index"][first:after] == list(range(sheet["length"]))
        assert table["timestamp"][first:after] == pytest.approx([k / 20 for k in range(sheet["length"])])
        assert table["next.done"][first:after] == [False] * (sheet["length"] - 1) + [True]
        first = after
    assert table["index"] == list(range(50))
    assert pq.ParquetFile(folder / "data/chunk-000/file-000.parquet").num_row_groups == 5


def test_pandas_reads_tasks_by_their_text(folder: Path) -> None:
    tasks = pd.read_parquet(folder / "meta/tasks.parquet")
    assert tasks.index.name == "task"
    assert tasks.loc["push"].task_index == 0
    assert episodes_of(folder)[0]["tasks"] == ["push"]


def test_statistics_are_those_of_all_frames(folder: Path) -> None:
    stats, table = json.loads((folder / "meta/stats.json").read_text()), data_of(folder).to_pydict()
    assert set(stats) == set(info_of(folder)["features"])
    actions = np.array(table["action"], dtype=np.float64)
    for name, value in (("min", actions.min(0)), ("mean", actions.mean(0)), ("std", actions.std(0))):
        assert stats["action"][name] == pytest.approx(value)
    assert stats["action"]["count"] == [50]
    assert set(stats["action"]) == {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}
    picture = stats["observation.images.fixed"]
    assert np.shape(picture["mean"]) == (3, 1, 1)
    assert np.all(np.array(picture["min"]) <= picture["q10"])
    assert np.all(np.array(picture["q90"]) <= picture["max"])
    assert 0.0 <= np.min(picture["min"]) <= np.max(picture["max"]) <= 1.0


def test_a_frame_of_the_film_lies_where_the_episode_says(folder: Path) -> None:
    info = info_of(folder)
    feature = info["features"]["observation.images.fixed"]
    sheets = episodes_of(folder)
    path = info["video_path"].format(video_key="observation.images.fixed", chunk_index=0, file_index=0)
    with av.open(str(folder / path)) as film:
        frames = list(film.decode(video=0))
    assert [round(frame.time * 20) for frame in frames] == list(range(50))
    assert [frames[0].height, frames[0].width, 3] == feature["shape"]
    assert sheets[2]["videos/observation.images.fixed/from_timestamp"] == pytest.approx(20 / 20)
    assert sheets[2]["videos/observation.images.fixed/to_timestamp"] == pytest.approx(30 / 20)
    assert frames[20].to_ndarray(format="rgb24").std() > 5.0


def test_a_typo_in_a_camera_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no camera named 'wirst'"):
        make_cameras(["wirst"], recording_env())


def test_joints_have_a_column_where_there_are_some(tmp_path: Path) -> None:
    env = recording_env(1)
    rollout = sample_rollouts(env, 1)[0]
    slots = replace(rollout.metadata.slots, joints=(("box", 0),))
    opened = np.linspace(0.0, 0.2, rollout.steps)[:, None]
    state = replace(rollout.state, joint_position=opened, joint_velocity=0.0 * opened)
    metadata = replace(rollout.metadata, slots=slots)
    write_rollouts(
        [replace(rollout, metadata=metadata, state=state)], metadata, tmp_path / "set", writer=make_writer("lerobot")
    )
    feature = info_of(tmp_path / "set")["features"]["world.joints"]
    assert feature == {"dtype": "float32", "shape": [1], "names": ["box.0"]}
    assert data_of(tmp_path / "set").to_pydict()["world.joints"] == opened[:, 0].astype(np.float32).tolist()


def test_steps_that_are_no_whole_number_a_second_are_refused(tmp_path: Path) -> None:
    env = recording_env(1)
    metadata = replace(run_metadata(env), step_s=1.0 / 19.7)
    with pytest.raises(InputError, match="a whole number a second"):
        write_rollouts(sample_rollouts(env, 1), metadata, tmp_path / "set", writer=make_writer("lerobot"))
    assert list(tmp_path.iterdir()) == []


def test_privileged_columns_are_not_named_observation(folder: Path) -> None:
    observed = {name for name in info_of(folder)["features"] if name.startswith("observation.")}
    assert observed == {"observation.state", "observation.policy", "observation.images.fixed"}


def test_where_no_episode_has_a_step_no_film_is_left_either(tmp_path: Path) -> None:
    env = recording_env(1)
    env.episodes.worlds.refused.update({0, 1, 2})  # type: ignore[attr-defined]
    cameras = make_cameras(["fixed"], env)
    with pytest.raises(InputError, match="no episode with a step"):
        write_rollouts(
            sample_rollouts(env, 2), run_metadata(env), tmp_path / "set", writer=make_writer("lerobot"), cameras=cameras
        )
    assert list(tmp_path.iterdir()) == []


def test_statistics_leave_out_frames_that_are_not_finite(tmp_path: Path) -> None:
    env = recording_env(1)
    acts = iter([np.zeros((1, 2)), np.full((1, 2), np.nan)])
    wild = collect_rollouts(env, [(0, 0)], act=lambda _: next(acts))
    written = write_rollouts(wild, run_metadata(env), tmp_path / "set", writer=make_writer("lerobot"))
    assert (written.steps, written.faults) == (2, 1)
    stats = json.loads((tmp_path / "set/meta/stats.json").read_text())
    assert (stats["action"]["count"], stats["action"]["mean"]) == ([1], [0.0, 0.0])
