"""Policies behind a wire: ours and other projects' servers, in other processes, whole, late and broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from cousins.errors import CellError, InputError
from sim.cells.wire_actions import WireActions
from sim.envs.make_env import make_env
from sim.train.evaluation import evaluate
from sim.train.policies import write_policy
from sim.train.policy_loading import load_policy
from sim.wire.codec import WireError, pack, unpack
from sim.wire.policies import WireClient, WirePolicy
from tests.sim.cells.test_simulated import random_policy
from tests.sim.tasks import scenes_for_tests as scenes

SERVERS = Path(__file__).with_name("servers_for_tests.py")


@contextmanager
def running(words: list[str], folder: Path, *, stream: str = "stdout") -> Iterator[str]:
    """Run a server and yield its address, the last word of its first line."""
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | {stream: subprocess.PIPE}
    with subprocess.Popen(words, cwd=folder, text=True, env=os.environ.copy(), **pipes) as process:
        try:
            yield getattr(process, stream).readline().split()[-1]
        finally:
            process.kill()


@contextmanager
def server(kind: str, folder: Path) -> Iterator[str]:
    with running([sys.executable, str(SERVERS), kind], folder) as url:
        yield url


@contextmanager
def served(policy: Any, folder: Path) -> Iterator[str]:
    write_policy(policy, folder / "policy")
    words = [sys.executable, "-m", "flows.cli", "policy", "serve", str(folder / "policy"), "--port", "0"]
    with running(words, folder, stream="stderr") as url:
        yield url


@pytest.fixture(scope="module")
def push_policy() -> Any:
    env = make_env(pack=scenes.table_source(), task="push", split=[0], autoreset="disabled")
    policy = random_policy(env)
    env.close()
    return policy


def test_a_served_policy_is_evaluated_as_the_folder_is(push_policy: Any, tmp_path: Path) -> None:
    pack_of_one = scenes.table_source()
    direct = evaluate(push_policy, pack=pack_of_one, split=[0], episodes=3)
    with served(push_policy, tmp_path) as url:
        actor = load_policy(url)
        assert (actor.card.task, actor.card.body) == ("push", "pusher")
        wired = evaluate(actor, pack=pack_of_one, split=[0], episodes=3)
        with pytest.raises(InputError, match="--task lift for a policy that knows push"):
            load_policy(url, task="lift")
        with urllib.request.urlopen(url.replace("ws:", "http:") + "/healthz", timeout=5) as answer:
            assert answer.read() == b"OK\n"
    assert [episode.success_at_end for episode in wired.episodes] == [e.success_at_end for e in direct.episodes]
    np.testing.assert_allclose(
        [episode.progress for episode in wired.episodes], [e.progress for e in direct.episodes], atol=0.02
    )


def test_a_client_of_openpi_is_answered_by_bytes_and_errors_are_texts(push_policy: Any, tmp_path: Path) -> None:
    size = push_policy.card.observations
    with served(push_policy, tmp_path) as url:
        with connect(url, compression=None, max_size=None) as socket:
            metadata = unpack(socket.recv())
            columns = metadata["cousins"]["columns"]
            assert [column["name"] for column in columns] == [column.name for column in push_policy.card.columns]
            state = np.linspace(-1.0, 1.0, size, dtype=np.float32)
            socket.send(pack({"observation/state": state, "prompt": "push it"}))
            actions = unpack(socket.recv())["actions"]
            np.testing.assert_allclose(actions, push_policy.act(state[None]), atol=1e-6)
            socket.send(pack({"endpoint": "reset"}))
            assert socket.recv() == "reset successful"
            socket.send(pack({"observation/state": state[:-1]}))
            assert "finite float numbers" in str(socket.recv())
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
        with connect(url, compression=None) as socket:
            socket.recv()
            socket.send(b"\x80\x04\x95pickle")
            assert "WireError" in str(socket.recv())


def test_a_chunk_of_openpis_is_executed_to_its_end_and_strict_servers_get_no_other_key(tmp_path: Path) -> None:
    with server("openpi", tmp_path) as url:
        actor = load_policy(url, task="push")
        assert isinstance(actor, WirePolicy)
        actor.require_fit(5, 2)
        actor.begin()
        for _ in range(12):
            np.testing.assert_array_equal(actor.act(np.zeros((1, 5))), [[0.5, -0.5]])
        actor.execute = 8
        actor.begin()
        for _ in range(9):
            actor.act(np.zeros((1, 5)))
    requests = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert len(requests) == 4
    assert all(request["keys"] == ["observation/state", "prompt"] for request in requests)


def test_roboarenas_variant_is_recognised_by_its_metadata(tmp_path: Path) -> None:
    with server("roboarena", tmp_path) as url:
        with pytest.raises(InputError, match=r"a RoboArena server at .* takes 0 outer cameras and the joints"):
            load_policy(url, task="push")
        client = WireClient(url)
        assert client.variant == "roboarena"
        client.reset()
        assert client.infer({"observation/joint_position": np.zeros(7)}).shape == (10, 2)
    requests = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert [request["endpoint"] for request in requests] == ["reset", "infer"]
    assert all("session_id" in request["keys"] for request in requests)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text", "an error of the server at .*: KeyError: 'observation/image'"),
        ("pickle", "a frame that cannot be read"),
        ("nan", "no finite numbers"),
        ("huge", "is gone|a frame of"),
        ("openpi", r"actions of shape \(1, 10, 2\); expected 3 numbers"),
    ],
)
def test_what_a_server_does_wrong_is_named(kind: str, words: str, tmp_path: Path) -> None:
    with server(kind, tmp_path) as url:
        actor = load_policy(url, task="push")
        actor.require_fit(5, 3)
        with pytest.raises((WireError, CellError), match=words):
            actor.act(np.zeros((1, 5)))


def test_nobody_there_and_metadata_that_are_none_are_refused(tmp_path: Path) -> None:
    for url in ("ws://127.0.0.1:9", "ws://"):
        with pytest.raises(InputError, match="no server at"):
            load_policy(url, task="push")
    with server("not_a_map", tmp_path) as url, pytest.raises(InputError, match="without metadata"):
        load_policy(url, task="push")


def test_after_a_time_out_the_late_answer_meets_no_later_request(tmp_path: Path) -> None:
    with server("slow", tmp_path) as url:
        client = WireClient(url)
        client.infer({"observation/state": np.zeros(1, np.float32)})
        answers: dict[int, float] = {}
        kinds: set[str] = set()
        for number in range(60):
            state = np.array([number], dtype=np.float32)
            try:
                answers[number] = client.infer({"observation/state": state}, timeout_s=0.015)[0, 0]
            except CellError as error:
                kinds.add(error.kind)
                client.reconnect()
    assert kinds == {"late answer"}
    assert 5 < len(answers) < 55
    assert all(answer == number for number, answer in answers.items())


def test_an_action_is_executed_in_its_own_time_or_never(tmp_path: Path) -> None:
    period_s = 0.01
    with server("slow", tmp_path) as url:
        policy = load_policy(url, task="push")
        assert isinstance(policy, WirePolicy)
        source = WireActions(policy, control_hz=1.0 / period_s, timeout_s=0.5)
        source.warm_up(np.zeros(1))
        source.begin()
        times: dict[int, int] = {}
        executed = held = 0
        for number in range(1000):
            now_ns = time.monotonic_ns()
            times[number] = now_ns
            decision = source.decide(np.array([number / 4096.0]), now_ns)
            held += decision is None
            if decision is not None:
                executed += 1
                observed = round(float(decision.action[0]) * 4096.0)
                position = round(float(decision.action[1]) / 0.01)
                assert decision.observed_ns == times[observed]
                assert decision.t_ns == times[observed] + position * round(1e9 * period_s)
                assert 0 <= time.monotonic_ns() - decision.t_ns < 1.3e9 * period_s
            time.sleep(max(0.0, period_s - 1e-9 * (time.monotonic_ns() - now_ns)))
        assert executed + held == 1000
        assert executed > 300
        assert source.lost == 0
