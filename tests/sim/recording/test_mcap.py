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

from sim.recording import Rollout, about_of, gather, write_rollouts, writer_of
from sim.recording.rendering import cameras_of
from tests.sim.recording.rollouts_for_tests import recorded_env, some

Message = tuple[str, str, int, dict[str, Any]]


@pytest.fixture(scope="module")
def rollouts() -> list[Rollout]:
    return some(recorded_env(), 3)


@pytest.fixture(scope="module")
def folder(rollouts: list[Rollout], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mcap") / "set"
    env = recorded_env()
    write_rollouts(rollouts, about_of(env), folder, writer=writer_of("mcap"), cameras=cameras_of(["wrist"], env))
    return folder


def messages_of(path: Path) -> list[Message]:
    with path.open("rb") as stream:
        return [
            (channel.topic, schema.name, message.log_time, json.loads(message.data))
            for schema, channel, message in make_reader(stream, validate_crcs=True).iter_messages()
        ]


def metadata_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open("rb") as stream:
        return {one.name: one.metadata for one in make_reader(stream).iter_metadata()}


def test_each_episode_is_a_file_and_the_index_tells_them_all(folder: Path, rollouts: list[Rollout]) -> None:
    names = [f"episode-00000{number}.mcap" for number in range(3)]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "episodes.json"]
    told = json.loads((folder / "episodes.json").read_text())
    assert [one["file"] for one in told["episodes"]] == names
    assert [one["cousin"] for one in told["episodes"]] == [one.cousin for one in rollouts]


def test_all_topics_speak_at_each_step(folder: Path, rollouts: list[Rollout]) -> None:
    messages = messages_of(folder / "episode-000001.mcap")
    topics = {"/observation/policy", "/observation/privileged", "/action", "/robot", "/joints", "/tf", "/step"}
    for topic in topics | {"/camera/wrist"}:
        times = [time for name, _, time, _ in messages if name == topic]
        assert times == [round(step * 0.05e9) for step in range(10)]
    actions = [message["values"] for topic, _, _, message in messages if topic == "/action"]
    np.testing.assert_array_equal(np.array(actions, dtype=np.float32), rollouts[1].action)
    steps = [message for topic, _, _, message in messages if topic == "/step"]
    assert [one["truncated"] for one in steps] == [False] * 9 + [True]
    assert set(steps[0]["success"]) == set(rollouts[1].about.profiles)


def test_every_message_has_what_its_schema_names(folder: Path) -> None:
    with (folder / "episode-000000.mcap").open("rb") as stream:
        found = list(make_reader(stream).iter_messages())
    for schema, channel, message in found:
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
    one = next(message for topic, _, _, message in messages if topic == "/camera/wrist")
    assert Image.open(io.BytesIO(base64.b64decode(one["data"]))).size == (160, 120)


def test_metadata_hold_the_digest_and_how_it_went(folder: Path, rollouts: list[Rollout]) -> None:
    told = metadata_of(folder / "episode-000002.mcap")
    assert told["about"]["digest"] == "tiny"
    assert told["about"]["engine"] == "fake"
    assert told["episode"]["cousin"] == "2"
    assert told["episode"]["seed"] == str(rollouts[2].seed)
    assert json.loads(told["episode"]["success_at_end"]) is False


def test_what_broke_and_what_never_began_is_on_record(tmp_path: Path) -> None:
    env = recorded_env(2)
    env.episodes.worlds.refused.add(1)  # type: ignore[attr-defined]
    wild = gather(env, [(0, 0), (1, 0)], act=lambda seen: np.full((len(seen), 2), np.nan))
    written = write_rollouts(wild, about_of(env), tmp_path / "set", writer=writer_of("mcap"))
    assert (written.episodes, written.faults, written.not_begun) == (2, 2, [1])
    messages = messages_of(tmp_path / "set/episode-000000.mcap")
    assert next(one["values"] for topic, _, _, one in messages if topic == "/action") == [None, None]
    assert next(one["fault"] for topic, _, _, one in messages if topic == "/step") == "a command is NaN"
    assert messages_of(tmp_path / "set/episode-000001.mcap") == []
    assert "no such luck" in metadata_of(tmp_path / "set/episode-000001.mcap")["episode"]["fault"]


def test_a_data_set_holds_an_action_that_is_not_finite_and_its_statistics_leave_it_out(tmp_path: Path) -> None:
    env = recorded_env(1)
    acts = iter([np.zeros((1, 2)), np.full((1, 2), np.nan)])
    wild = gather(env, [(0, 0)], act=lambda _: next(acts))
    written = write_rollouts(wild, about_of(env), tmp_path / "set", writer=writer_of("lerobot"))
    assert (written.steps, written.faults) == (2, 1)
    stats = json.loads((tmp_path / "set/meta/stats.json").read_text())
    assert (stats["action"]["count"], stats["action"]["mean"]) == ([1], [0.0, 0.0])
