"""LeRobotDataset v3.0: all episodes in one Parquet file, with tables that tell where each lies.

Layout, names and dtypes are those that `lerobot.datasets` (CODEBASE_VERSION v3.0) reads: a frame holds what was seen
before its action, and `next.*` what came of it. What no policy may see has no `observation.` in its name, so nobody
trains on it by accident. An episode that no engine began has no frames: it stands in `meta/cousins.json` alone.
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
from sim.recording.columns import columns_of, features_of, outcome_of
from sim.recording.rendering import Camera
from sim.recording.rollouts import About, Rollout
from sim.recording.statistics import Statistics, of_all, of_pictures, of_rows
from sim.recording.video import Video, open_video

VERSION: Final = "v3.0"
DATA: Final = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEOS: Final = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES: Final = "meta/episodes/chunk-000/file-000.parquet"


@dataclass(frozen=True, kw_only=True)
class Config:
    """How it is written."""

    tolerance_s: float = 1e-4
    """How far a frame's time may be from a whole number of frames [s], as LeRobot checks it."""


def build(config: Config) -> LeRobot:
    """Return the writer."""
    return LeRobot(config)


class LeRobot:
    """Writes a LeRobotDataset."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def write(self, rollouts: Iterable[Rollout], about: About, folder: Path, *, cameras: Mapping[str, Camera]) -> None:
        """Write all rollouts into an empty folder; raises `InputError` where there is not one step."""
        fps = round(1.0 / about.step_s)
        if abs(about.step_s * fps - 1.0) > self.config.tolerance_s:
            raise InputError(
                f"steps of {about.step_s:.6f} s", expected="a whole number a second", hint="Choose another control_hz."
            )
        films = {f"observation.images.{name}": camera for name, camera in cameras.items()}
        with _Dataset(folder, fps, films) as dataset:
            for rollout in rollouts:
                dataset.add(rollout)
        dataset.describe(about)


class _Dataset:
    """A data set that is being written."""

    def __init__(self, folder: Path, fps: int, films: Mapping[str, Camera]) -> None:
        self._folder, self._fps, self._films = folder, fps, films
        self._videos: dict[str, Video] = {}
        self._parquet: Any = None
        self._features: dict[str, Any] = {}
        self._sheets: list[dict[str, Any]] = []
        self._told: list[dict[str, Statistics]] = []
        self._absent: list[dict[str, Any]] = []
        self._frames = 0

    def __enter__(self) -> _Dataset:
        for key, camera in self._films.items():
            path = _made(self._folder / VIDEOS.format(video_key=key, chunk_index=0, file_index=0))
            self._videos[key] = open_video(path, width=camera.width, height=camera.height, fps=self._fps)
        return self

    def __exit__(self, *error: object) -> None:
        for video in self._videos.values():
            video.close()
        if self._parquet is not None:
            self._parquet.close()

    def add(self, rollout: Rollout) -> None:
        """Append an episode; one without steps is told in `meta/cousins.json` alone."""
        if not rollout.steps:
            self._absent.append(outcome_of(rollout))
            return
        columns = columns_of(rollout, episode=len(self._sheets), first=self._frames, fps=self._fps)
        self._features = self._features or features_of(rollout.about, columns)
        table = _table(columns, self._features)
        if self._parquet is None:
            path = _made(self._folder / DATA.format(chunk_index=0, file_index=0))
            self._parquet = pq.ParquetWriter(path, table.schema, compression="snappy")
        self._parquet.write_table(table)
        statistics = {name: of_rows(values) for name, values in columns.items()}
        for key, video in self._videos.items():
            statistics[key] = of_pictures(video.add(self._films[key].film(rollout)))
        self._sheets.append(self._sheet(rollout, statistics))
        self._told.append(statistics)
        self._frames += rollout.steps

    def describe(self, about: About) -> None:
        """Write all that is told about the episodes."""
        if not self._sheets:
            why = f"The engine refused them all: {self._absent[0]['fault']}"[:300] if self._absent else "Ask for more."
            raise InputError("no episode with a step", expected="at least one", hint=why)
        meta = self._folder / "meta"
        pq.write_table(_episodes(self._sheets), _made(self._folder / EPISODES))
        pq.write_table(_tasks(about.task), meta / "tasks.parquet")
        features = self._features | {key: _video_feature(camera, self._fps) for key, camera in self._films.items()}
        info = {
            "codebase_version": VERSION,
            "robot_type": about.body,
            "total_episodes": len(self._sheets),
            "total_frames": self._frames,
            "total_tasks": 1,
            "chunks_size": 1000,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._sheets)}"},
            "data_path": DATA,
            "video_path": VIDEOS if self._films else None,
            "features": features,
        }
        _json(meta / "info.json", info)
        _json(meta / "stats.json", {name: of_all([one[name] for one in self._told]) for name in self._told[0]})
        _json(meta / "cousins.json", {"about": asdict(about), "not_begun": self._absent})

    def _sheet(self, rollout: Rollout, told: Mapping[str, Statistics]) -> dict[str, Any]:
        """Return an episode's row: where its frames lie, how it went, and the statistics of its columns."""
        first, after = self._frames, self._frames + rollout.steps
        sheet = {
            "episode_index": len(self._sheets),
            "tasks": [rollout.about.task],
            "length": rollout.steps,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": first,
            "dataset_to_index": after,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key in self._films:
            sheet |= {f"videos/{key}/chunk_index": 0, f"videos/{key}/file_index": 0}
            sheet |= {
                f"videos/{key}/from_timestamp": first / self._fps,
                f"videos/{key}/to_timestamp": after / self._fps,
            }
        statistics = {f"stats/{name}/{kind}": value for name, one in told.items() for kind, value in one.items()}
        return sheet | outcome_of(rollout) | statistics


def _table(columns: Mapping[str, Array], features: Mapping[str, Any]) -> pa.Table:
    """Return columns as LeRobot has them: one number as a value, more as a list of fixed length."""
    arrays = {}
    for name, value in columns.items():
        kind = pa.from_numpy_dtype(np.dtype(features[name]["dtype"]))
        size = features[name]["shape"][0]
        flat = pa.array(np.ascontiguousarray(value).reshape(-1), type=kind)
        arrays[name] = flat if size == 1 else pa.FixedSizeListArray.from_arrays(flat, size)
    return pa.table(arrays)


def _episodes(sheets: list[dict[str, Any]]) -> pa.Table:
    """Return the table of episodes."""
    schema = pa.Table.from_pylist(sheets[:1]).schema
    for name in ("profiles_once", "profiles_at_end"):
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.list_(pa.string())))
    return pa.Table.from_pylist(sheets, schema=schema)


def _tasks(task: str) -> pa.Table:
    """Return the table of tasks, whose index pandas reads as the task's text."""
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


def _made(path: Path) -> Path:
    """Return a path whose folder is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=4, allow_nan=False) + "\n")
