"""LeRobotDataset v3.0: the frames of all episodes in one Parquet file, with a table of episodes.

Layout, names and dtypes are those that `lerobot.datasets` (CODEBASE_VERSION v3.0) reads: a frame holds the observations
before its action, and `next.*` the result of the action. Columns that no policy may observe have no `observation.` in
their name, so that nobody trains on them by accident. An episode that the engine failed to begin has no frames and is
listed in `meta/cousins.json` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cousins.errors import InputError
from cousins.geometry import Array
from sim.recording.columns import column_features, episode_outcome, rollout_columns
from sim.recording.rendering import Camera
from sim.recording.rollouts import Rollout, RunMetadata
from sim.recording.statistics import Statistics, column_statistics, combine_statistics, image_statistics
from sim.recording.video import VideoWriter, open_video

VERSION: Final = "v3.0"
DATA_PATH: Final = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH: Final = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH: Final = "meta/episodes/chunk-000/file-000.parquet"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of the format."""

    tolerance_s: float = 1e-4
    """Largest deviation of the control rate from a whole number of frames per second, as LeRobot checks it [s]."""


def build(config: Config) -> LeRobotWriter:
    """Return the writer."""
    return LeRobotWriter(config)


class LeRobotWriter:
    """Writes a LeRobotDataset."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def write(
        self, rollouts: Iterable[Rollout], metadata: RunMetadata, folder: Path, *, cameras: Mapping[str, Camera]
    ) -> None:
        """Write all rollouts into an empty folder; raises `InputError` where no episode has a step."""
        fps = round(1.0 / metadata.step_s)
        if abs(metadata.step_s * fps - 1.0) > self.config.tolerance_s:
            raise InputError(
                f"steps of {metadata.step_s:.6f} s",
                expected="a whole number a second",
                hint="Choose another control_hz.",
            )
        image_cameras = {f"observation.images.{name}": camera for name, camera in cameras.items()}
        with _DatasetWriter(folder, fps, image_cameras) as dataset:
            for rollout in rollouts:
                dataset.add_episode(rollout)
        dataset.write_metadata(metadata)


class _DatasetWriter:
    """Writes frames, videos and tables of one data set."""

    def __init__(self, folder: Path, fps: int, cameras: Mapping[str, Camera]) -> None:
        self._folder, self._fps, self._cameras = folder, fps, cameras
        self._videos: dict[str, VideoWriter] = {}
        self._parquet: Any = None
        self._features: dict[str, Any] = {}
        self._episode_rows: list[dict[str, Any]] = []
        self._statistics: list[dict[str, Statistics]] = []
        self._not_begun: list[dict[str, Any]] = []
        self._frames = 0

    def __enter__(self) -> _DatasetWriter:
        for key, camera in self._cameras.items():
            path = _with_parent(self._folder / VIDEO_PATH.format(video_key=key, chunk_index=0, file_index=0))
            self._videos[key] = open_video(path, width=camera.width, height=camera.height, fps=self._fps)
        return self

    def __exit__(self, *error: object) -> None:
        for video in self._videos.values():
            video.close()
        if self._parquet is not None:
            self._parquet.close()

    def add_episode(self, rollout: Rollout) -> None:
        """Append an episode; one without steps is listed in `meta/cousins.json` alone."""
        if not rollout.steps:
            self._not_begun.append(episode_outcome(rollout))
            return
        columns = rollout_columns(rollout, episode=len(self._episode_rows), first=self._frames, fps=self._fps)
        self._features = self._features or column_features(rollout.metadata, columns)
        table = _frame_table(columns, self._features)
        if self._parquet is None:
            path = _with_parent(self._folder / DATA_PATH.format(chunk_index=0, file_index=0))
            self._parquet = pq.ParquetWriter(path, table.schema, compression="snappy")
        self._parquet.write_table(table)
        statistics = {name: column_statistics(values) for name, values in columns.items()}
        for key, video in self._videos.items():
            statistics[key] = image_statistics(video.add(self._cameras[key].render_rollout(rollout)))
        self._episode_rows.append(self._episode_row(rollout, statistics))
        self._statistics.append(statistics)
        self._frames += rollout.steps

    def write_metadata(self, metadata: RunMetadata) -> None:
        """Write the tables and metadata of all episodes; raises `InputError` where none has a step."""
        if not self._episode_rows:
            reason = "Ask for more."
            if self._not_begun:
                reason = f"The engine refused them all: {self._not_begun[0]['fault']}"[:300]
            raise InputError("no episode with a step", expected="at least one", hint=reason)
        meta = self._folder / "meta"
        pq.write_table(_episode_table(self._episode_rows), _with_parent(self._folder / EPISODES_PATH))
        pq.write_table(_task_table(metadata.task), meta / "tasks.parquet")
        features = self._features | {key: _video_feature(camera, self._fps) for key, camera in self._cameras.items()}
        info = {
            "codebase_version": VERSION,
            "robot_type": metadata.body,
            "total_episodes": len(self._episode_rows),
            "total_frames": self._frames,
            "total_tasks": 1,
            "chunks_size": 1000,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episode_rows)}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if self._cameras else None,
            "features": features,
        }
        _write_json(meta / "info.json", info)
        by_column = {name: [statistics[name] for statistics in self._statistics] for name in self._statistics[0]}
        _write_json(meta / "stats.json", {name: combine_statistics(parts) for name, parts in by_column.items()})
        _write_json(meta / "cousins.json", {"about": asdict(metadata), "not_begun": self._not_begun})

    def _episode_row(self, rollout: Rollout, statistics: Mapping[str, Statistics]) -> dict[str, Any]:
        """Return the row of an episode: location of its frames, outcome, and statistics of its columns."""
        start, end = self._frames, self._frames + rollout.steps
        row = {
            "episode_index": len(self._episode_rows),
            "tasks": [rollout.metadata.task],
            "length": rollout.steps,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": start,
            "dataset_to_index": end,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key in self._cameras:
            row |= {f"videos/{key}/chunk_index": 0, f"videos/{key}/file_index": 0}
            row |= {
                f"videos/{key}/from_timestamp": start / self._fps,
                f"videos/{key}/to_timestamp": end / self._fps,
            }
        flat = {f"stats/{name}/{kind}": value for name, kinds in statistics.items() for kind, value in kinds.items()}
        return row | episode_outcome(rollout) | flat


def _frame_table(columns: Mapping[str, Array], features: Mapping[str, Any]) -> pa.Table:
    """Return columns in the types of LeRobot: [t] or [t, 1] as values, [t, k] as lists of fixed length k."""
    arrays = {}
    for name, value in columns.items():
        kind = pa.from_numpy_dtype(np.dtype(features[name]["dtype"]))
        size = features[name]["shape"][0]
        flat = pa.array(np.ascontiguousarray(value).reshape(-1), type=kind)
        arrays[name] = flat if size == 1 else pa.FixedSizeListArray.from_arrays(flat, size)
    return pa.table(arrays)


def _episode_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return the table of episodes."""
    schema = pa.Table.from_pylist(rows[:1]).schema
    for name in ("profiles_once", "profiles_at_end"):
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.list_(pa.string())))
    return pa.Table.from_pylist(rows, schema=schema)


def _task_table(task: str) -> pa.Table:
    """Return the table of tasks, with the text of the task as its pandas index."""
    table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([task])})
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": dtype, "metadata": None}
        for name, kind, dtype in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    index = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.3.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(index)})


def _video_feature(camera: Camera, fps: int) -> dict[str, Any]:
    shape = [camera.height, camera.width, 3]
    info = {
        "video.height": camera.height,
        "video.width": camera.width,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
    }
    return {"dtype": "video", "shape": shape, "names": ["height", "width", "channels"], "info": info}


def _with_parent(path: Path) -> Path:
    """Return the path after creating its parent folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=4, allow_nan=False) + "\n")
