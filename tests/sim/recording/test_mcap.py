"""MCAP files, read back by the reader of the format's own library."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from PIL import Image

from sim.recording import Rollout, collect_rollouts, make_writer, run_metadata, write_rollouts
from sim.recording.rendering import make_cameras
from tests.sim.recording.rollouts_for_tests import recording_env, sample_rollouts

Message = tuple[str, str, int, dict[str, Any]]


@pytest.fixture(scope="module")
def rollouts() -> list[Rollout]:
    return sample_rollouts(recording_env(), 3)


@pytest.fixture(scope="module")
def folder(rollouts: list[Rollout], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mcap") / "set"
    env = recording_env()
    write_rollouts(
        rollouts, run_metadata(env), folder, writer=make_writer("mcap"), cameras=make_cameras(["wrist"], env)
    )
    return folder


def messages_of(path: Path) -> list[Message]:
    with path.open("rb") as stream:
        return [
            (channel.topic, schema.name, message.log_time, json.loads(message.data))
            for schema, channel, message in make_reader(stream, validate_crcs=True).iter_messages()
        ]


def metadata_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open("rb") as stream:
        return {record.name: record.metadata for record in make_reader(stream).iter_metadata()}


def test_each_episode_is_a_file_and_the_index_lists_them_all(folder: Path, rollouts: list[Rollout]) -> None:
    names = [f"episode-00000{number}.mcap" for number in range(3)]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "episodes.json"]
    index = json.loads((folder / "episodes.json").read_text())
    assert [episode["file"] for episode in index["episodes"]] == names
    assert [episode["cousin"] for episode in index["episodes"]] == [episode.cousin for episode in rollouts]


def test_all_topics_have_a_message_at_each_step(folder: Path, rollouts: list[Rollout]) -> None:
    messages = messages_of(folder / "episode-000001.mcap")
    topics = {"/observation/policy", "/observation/privileged", "/action", "/robot", "/joints", "/tf", "/step"}
    for topic in topics | {"/camera/wrist"}:
        times = [time for name, _, time, _ in messages if name == topic]
        assert times == [round(step * 0.05e9) for step in range(10)]
    actions = [message["values"] for topic, _, _, message in messages if topic == "/action"]
    np.testing.assert_array_equal(np.array(actions, dtype=np.float32), rollouts[1].action)
    steps = [message for topic, _, _, message in messages if topic == "/step"]
    assert [step["truncated"] for step in steps] == [False] * 9 + [True]
    assert set(steps[0]["success"]) == set(rollouts[1].metadata.profiles)


def test_every_message_has_what_its_schema_names(folder: Path) -> None:
    with (folder / "episode-000000.mcap").open("rb") as stream:
        messages = list(make_reader(stream).iter_messages())
    for schema, channel, message in messages:
        assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
        assert set(json.loads(message.data)) == set(json.loads(schema.data)["properties"])


def test_poses_are_transforms_of_the_world(folder: Path, rollouts: list[Rollout]) -> None:
    last = [message for topic, _, _, message in messages_of(folder / "episode-000000.mcap") if topic == "/tf"][-1]
    box, tip = last["transforms"]
    assert (box["parent_frame_id"], box["child_frame_id"], tip["child_frame_id"]) == ("world", "box", "pusher.tip")
    assert [box["translation"][axis] for axis in "xyz"] == rollouts[0].state.position_m[-1, 0].tolist()
    assert [box["rotation"][axis] for axis in "wxyz"] == rollouts[0].state.quat_wxyz[-1, 0].tolist()
    assert box["timestamp"] == {"sec": 0, "nsec": 450_000_000}


def test_pictures_are_jpegs(folder: Path) -> None:
    messages = messages_of(folder / "episode-000000.mcap")
    image = next(message for topic, _, _, message in messages if topic == "/camera/wrist")
    assert Image.open(io.BytesIO(base64.b64decode(image["data"]))).size == (160, 120)


def test_metadata_hold_the_digest_and_the_outcome(folder: Path, rollouts: list[Rollout]) -> None:
    metadata = metadata_of(folder / "episode-000002.mcap")
    assert metadata["about"]["digest"] == "tiny"
    assert metadata["about"]["engine"] == "fake"
    assert metadata["episode"]["cousin"] == "2"
    assert metadata["episode"]["seed"] == str(rollouts[2].seed)
    assert json.loads(metadata["episode"]["success_at_end"]) is False


def test_broken_episodes_and_those_that_never_began_are_recorded(tmp_path: Path) -> None:
    env = recording_env(2)
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    wild = collect_rollouts(env, [(0, 0), (1, 0)], act=lambda observations: np.full((len(observations), 2), np.nan))
    written = write_rollouts(wild, run_metadata(env), tmp_path / "set", writer=make_writer("mcap"))
    assert (written.episodes, written.faults, written.not_begun) == (2, 2, [1])
    messages = messages_of(tmp_path / "set/episode-000000.mcap")
    assert next(message["values"] for topic, _, _, message in messages if topic == "/action") == [None, None]
    assert next(message["fault"] for topic, _, _, message in messages if topic == "/step") == "a command is NaN"
    assert messages_of(tmp_path / "set/episode-000001.mcap") == []
    assert "no such luck" in metadata_of(tmp_path / "set/episode-000001.mcap")["episode"]["fault"]
