"""The law book of record formats: every format writes all episodes, whole or not at all, and reads back the same."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cousins.errors import InputError, UnknownNameError
from cousins.geometry import Array
from cousins.plugins import backend_names, load_backend
from sim.recording import Rollout, collect_rollouts, make_writer, run_metadata, write_rollouts
from sim.recording.dataset_writer import FORMATS_PACKAGE, RecordingCounts
from sim.recording.rendering import Camera
from tests.sim.recording.rollouts_for_tests import StepNumberCamera, recording_env, sample_rollouts

FORMATS = backend_names(FORMATS_PACKAGE)
LIBRARIES = {"lerobot": "pyarrow", "mcap": "mcap"}
"""Library of the extra `record` that each format needs."""
ARRAYS = ("policy", "privileged", "action", "reward", "progress")
"""Arrays of a rollout that every format must keep."""
OUTCOME = ("cousin", "start", "seed", "success_at_end", "success_once", "fault")
"""Outcome of an episode that every format must keep."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RecordedEpisode:
    """An episode as it was read back; it has no frames where the engine failed to begin it."""

    outcome: dict[str, Any]
    """Values of `OUTCOME` by name."""
    arrays: dict[str, Array]
    """Arrays of `ARRAYS` by name, each [t] or [t, k]; empty without frames."""
    images: list[Array]
    """Images of the camera `front`, each uint8 [h, w, 3]."""


def read_lerobot(folder: Path) -> list[RecordedEpisode]:
    import av
    import pyarrow.parquet as pq

    info = json.loads((folder / "meta/info.json").read_text())
    columns = {"policy": "observation.policy", "reward": "next.reward", "progress": "next.progress"}
    frames = pq.read_table(folder / info["data_path"].format(chunk_index=0, file_index=0)).to_pydict()
    images: list[Array] = []
    if info["video_path"]:
        key = "observation.images.front"
        with av.open(str(folder / info["video_path"].format(video_key=key, chunk_index=0, file_index=0))) as film:
            images = [image.to_ndarray(format="rgb24") for image in film.decode(video=0)]
    episodes = []
    for row in pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist():
        part = slice(row["dataset_from_index"], row["dataset_to_index"])
        arrays = {name: np.array(frames[columns.get(name, name)][part], dtype=np.float32) for name in ARRAYS}
        outcome = {name: row[name] for name in OUTCOME}
        episodes.append(RecordedEpisode(outcome=outcome, arrays=arrays, images=images[part]))
    not_begun = json.loads((folder / "meta/cousins.json").read_text())["not_begun"]
    for record in not_begun:
        outcome = {name: record[name] for name in OUTCOME}
        episodes.append(RecordedEpisode(outcome=outcome, arrays={}, images=[]))
    return episodes


def read_mcap(folder: Path) -> list[RecordedEpisode]:
    from mcap.reader import make_reader
    from PIL import Image

    episodes = []
    for record in json.loads((folder / "episodes.json").read_text())["episodes"]:
        messages: dict[str, list[Any]] = {}
        with (folder / record["file"]).open("rb") as stream:
            for _, channel, message in make_reader(stream, validate_crcs=True).iter_messages():
                messages.setdefault(channel.topic, []).append(json.loads(message.data))
        columns = {
            "policy": [message["values"] for message in messages.get("/observation/policy", ())],
            "privileged": [message["values"] for message in messages.get("/observation/privileged", ())],
            "action": [message["values"] for message in messages.get("/action", ())],
            "reward": [message["reward"] for message in messages.get("/step", ())],
            "progress": [message["progress"] for message in messages.get("/step", ())],
        }
        arrays = {name: np.array(values, dtype=np.float32) for name, values in columns.items() if values}
        jpegs = [base64.b64decode(message["data"]) for message in messages.get("/camera/front", ())]
        images = [np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in jpegs]
        outcome = {name: record[name] for name in OUTCOME}
        episodes.append(RecordedEpisode(outcome=outcome, arrays=arrays, images=images))
    return episodes


READERS: dict[str, Callable[[Path], list[RecordedEpisode]]] = {"lerobot": read_lerobot, "mcap": read_mcap}


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of a format whose library is installed."""
    format_name: str = request.param
    pytest.importorskip(LIBRARIES[format_name], reason="the extra `record` is not installed")
    pytest.importorskip("av", reason="the extra `record` is not installed")
    return format_name


@pytest.fixture(scope="module")
def rollouts() -> list[Rollout]:
    return sample_rollouts(recording_env(), 5)


def record(
    name: str, rollouts: Iterator[Rollout] | Sequence[Rollout], folder: Path, cameras: dict[str, Camera] | None = None
) -> RecordingCounts:
    return write_rollouts(
        rollouts, run_metadata(recording_env()), folder, writer=make_writer(name), cameras=cameras or {}
    )


def refusal_of(call: Callable[[], object]) -> str | None:
    """Return the text of the `InputError` that a call raises; None where it succeeds."""
    try:
        call()
    except InputError as error:
        return str(error)
    return None


def by_episode(episodes: list[RecordedEpisode]) -> list[RecordedEpisode]:
    return sorted(episodes, key=lambda episode: (episode.outcome["start"], episode.outcome["cousin"]))


def broken_rollouts() -> list[Rollout]:
    """Return three episodes: one that breaks at its second step, one that never begins, and one that breaks at once."""
    env = recording_env(1)
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    actions = iter([np.zeros((1, 2)), np.full((1, 2), np.nan), np.full((1, 2), np.nan)])
    return list(collect_rollouts(env, [(0, 0), (1, 0), (2, 0)], act=lambda _: next(actions)))


def test_every_format_is_in_this_law_book() -> None:
    assert sorted(READERS) == sorted(LIBRARIES) == FORMATS


def test_every_format_has_a_frozen_config_with_defaults_and_builds_a_writer(name: str) -> None:
    backend = load_backend(FORMATS_PACKAGE, name, kind="format")
    assert is_dataclass(backend.Config)
    config = backend.Config()
    for field in fields(config):
        with pytest.raises(FrozenInstanceError):
            setattr(config, field.name, None)
    assert callable(backend.build(config).write)


def test_a_typo_in_a_format_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no format named 'lerobt'.*Did you mean 'lerobot'\? Known: lerobot, mcap"
    ):
        make_writer("lerobt")


def test_the_same_numbers_are_read_back(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    record(name, rollouts, tmp_path / "set")
    episodes = by_episode(READERS[name](tmp_path / "set"))
    assert len(episodes) == len(rollouts)
    for episode, rollout in zip(episodes, rollouts, strict=True):
        for array in ARRAYS:
            np.testing.assert_array_equal(episode.arrays[array], getattr(rollout, array), err_msg=array)
        assert episode.outcome == {field: getattr(rollout, field) for field in OUTCOME}


def test_an_image_is_written_for_each_step(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    record(name, rollouts, tmp_path / "set", {"front": StepNumberCamera()})
    for episode, rollout in zip(by_episode(READERS[name](tmp_path / "set")), rollouts, strict=True):
        levels = [image.mean() for image in episode.images]
        assert {image.shape for image in episode.images} == {(StepNumberCamera.height, StepNumberCamera.width, 3)}
        assert levels == pytest.approx([20 * step for step in range(rollout.steps)], abs=6)


def test_every_episode_is_counted_and_recorded_also_those_that_broke_or_never_began(name: str, tmp_path: Path) -> None:
    rollouts = broken_rollouts()
    counts = record(name, rollouts, tmp_path / "set")
    assert (counts.episodes, counts.steps, counts.faults, counts.not_begun) == (3, 3, 3, [1])
    assert (counts.successes, counts.once) == (0, 0)
    episodes = by_episode(READERS[name](tmp_path / "set"))
    assert [episode.outcome for episode in episodes] == [
        {field: getattr(rollout, field) for field in OUTCOME} for rollout in rollouts
    ]
    assert "no such luck" in episodes[1].outcome["fault"]
    assert episodes[1].arrays == {}
    assert [len(episodes[number].arrays["action"]) for number in (0, 2)] == [2, 1]
    np.testing.assert_array_equal(episodes[0].arrays["action"], [[0.0, 0.0], [np.nan, np.nan]])


def test_success_is_counted_once_per_episode(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    changes = [{"success_at_end": True, "success_once": True}, {"success_once": True}, {}]
    marked = [
        replace(rollout, **({"success_at_end": False, "success_once": False} | change))  # type: ignore[arg-type]
        for rollout, change in zip(rollouts, changes, strict=False)
    ]
    counts = record(name, marked, tmp_path / "set")
    assert (counts.episodes, counts.steps, counts.successes, counts.once, counts.faults) == (3, 30, 1, 2, 0)
    recorded = [episode.outcome["success_at_end"] for episode in by_episode(READERS[name](tmp_path / "set"))]
    assert recorded == [True, False, False]


@pytest.mark.parametrize("array", ["policy", "privileged", "action", "reward", "progress"])
def test_a_number_that_is_not_finite_is_kept_or_refused_with_nothing_left(
    name: str, array: str, rollouts: list[Rollout], tmp_path: Path
) -> None:
    values = getattr(rollouts[0], array).copy()
    values[3] = np.nan
    spoilt = [replace(rollouts[0], **{array: values}), rollouts[1]]  # type: ignore[arg-type]
    refusal = refusal_of(lambda: record(name, spoilt, tmp_path / "set"))
    if refusal is not None:
        assert "nan" in refusal.lower()
        assert list(tmp_path.iterdir()) == []
        return
    first, second = by_episode(READERS[name](tmp_path / "set"))
    np.testing.assert_array_equal(first.arrays[array], values)
    np.testing.assert_array_equal(second.arrays[array], getattr(rollouts[1], array))


def test_no_file_of_a_record_holds_a_nan_that_json_does_not_know(name: str, tmp_path: Path) -> None:
    record(name, broken_rollouts(), tmp_path / "set")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in (tmp_path / "set").rglob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)


def test_a_record_is_whole_or_not_there(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    def interrupted() -> Iterator[Rollout]:
        yield from rollouts[:2]
        assert list(tmp_path.glob("set*")) == []
        raise ConnectionError("the engine is gone")

    with pytest.raises(ConnectionError, match="the engine is gone"):
        record(name, interrupted(), tmp_path / "set", {"front": StepNumberCamera()})
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_fails_leaves_nothing(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    class FailingCamera(StepNumberCamera):
        def render_rollout(self, rollout: Rollout, *, steps: Any = None) -> Iterator[Array]:
            yield from list(super().render_rollout(rollout, steps=steps))[:3]
            raise ValueError("no such mesh")

    with pytest.raises(ValueError, match="no such mesh"):
        record(name, rollouts, tmp_path / "set", {"front": FailingCamera()})
    assert list(tmp_path.iterdir()) == []


def test_a_record_without_a_step_is_refused_with_nothing_left_or_lists_its_episodes(name: str, tmp_path: Path) -> None:
    never_begun = broken_rollouts()[1:2]
    for number, rollouts in enumerate(([], never_begun)):
        folder = tmp_path / str(number)
        cameras: dict[str, Camera] = {"front": StepNumberCamera()}
        refusal = refusal_of(partial(record, name, rollouts, folder, cameras))
        if refusal is None:
            assert [episode.outcome["cousin"] for episode in READERS[name](folder)] == [1] * len(rollouts)
        else:
            assert "no episode with a step" in refusal
            assert list(tmp_path.glob(f"*{number}*")) == []


def test_an_existing_folder_is_refused_and_stays_as_it_is(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    record(name, rollouts[:2], tmp_path / "set")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="there already"):
        record(name, rollouts[2:], tmp_path / "set")
    assert contents(tmp_path) == before


def test_the_same_rollouts_give_the_same_bytes(name: str, rollouts: list[Rollout], tmp_path: Path) -> None:
    for folder in ("first", "second"):
        record(name, rollouts, tmp_path / folder, {"front": StepNumberCamera()})
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a folder by relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
