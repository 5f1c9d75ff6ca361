"""The child process that simulates: requests as JSON lines on standard input, replies as JSON lines on standard output.

A request names pack, policy, task, engine and seed, and lists `episodes` as [cousin, start, shake], `gates` as
[cousin, shake], `probes` as [cousin, starts] and `films` as [cousin, start]; with `cousin_records` its cousins are
these records instead of the pack's. A reply holds an `episode`, a `film`, the `gates` or the `probe` of a cousin, an
`error` that the user can mend, or `done`. Whatever engines print goes to standard error.

    python -m sim.regress.worker
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

from cousins.errors import EngineError, InputError
from cousins.pack.packs import Pack
from cousins.pack.records.cousin_records import read_cousin
from cousins.pack.transfer.pull import open_pack
from cousins.regress.minimal_cases import MINIMAL_SUFFIX, read_minimal
from cousins.regress.outcomes import outcome_record
from cousins.regress.suites import PolicySpec
from cousins.scene.io.strict_json import Node
from cousins.vary.cousins import Cousin, Library
from sim.regress.engine_probes import probed
from sim.regress.episode_runs import EpisodeRunner
from sim.regress.gate_values import measured_gates
from sim.regress.hybrid_sources import HybridSource
from sim.regress.policies import load_actor
from sim.tasks.task_source import PhysicsSource
from sim.worlds.worlds import CousinSource


class Simulator:
    """Answers requests; the worlds of the last one are kept for the next."""

    def __init__(self) -> None:
        self._runner: tuple[str, EpisodeRunner] | None = None
        self._exits = ExitStack()

    def replies(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what a request asks for; raises `InputError` for what the user can mend."""
        source = _source(request)
        for cousin, shake in request.get("gates", ()):
            yield {"gates": _gates(source, cousin, request["engine"], shake), "cousin": cousin, "shake": shake}
        for cousin, starts in request.get("probes", ()):
            yield {"probe": _probe(source, cousin, request, starts), "cousin": cousin}
        if request.get("episodes"):
            runner = self._runner_for(request, source)
            for cousin, start, shake in request["episodes"]:
                outcome = runner.run(cousin, start, shake=shake)
                yield {"episode": outcome_record(outcome), "shake": shake, "cpu_s": time.process_time()}
        for cousin, start in request.get("films", ()):
            from sim.regress.films import filmed  # drawing is no part of what a result follows from

            film = filmed(self._runner_for(request, source), cousin, start)
            yield {"film": film, "cousin": cousin, "start": start}

    def _runner_for(self, request: Mapping[str, Any], source: CousinSource) -> EpisodeRunner:
        names = ("pack", "policy", "task", "engine", "seed", "cousins", "cousin_records")
        key = json.dumps({name: request.get(name) for name in names}, sort_keys=True)
        if self._runner is not None and self._runner[0] == key:
            return self._runner[1]
        self._exits.close()
        self._runner = None
        runner = EpisodeRunner(
            load_actor(PolicySpec(**request["policy"]), request["task"]),
            source=source,
            cousins=request["cousins"],
            engine=request["engine"],
            seed=request["seed"],
        )
        self._exits.enter_context(runner)
        self._runner = (key, runner)
        return runner


def _source(request: Mapping[str, Any]) -> CousinSource:
    records = request.get("cousin_records")
    reference = str(request["pack"])
    if reference.endswith(MINIMAL_SUFFIX):
        case = _minimal_case(reference)
        return HybridSource({case.cousin.index: case.cousin}, case.library, records={0: case.record})
    pack = _pack(reference)
    if not records:
        return PhysicsSource(pack)
    cousins: dict[int, Cousin] = {}
    for record in records:
        cousin = read_cousin(Node(value=record, path="hybrid"))
        cousins[cousin.index] = cousin
    variants = {key: item for number in request["variants_of"] for key, item in pack.variants(number).items()}
    library = Library(scene=pack.surroundings, variants=variants)
    return HybridSource(cousins, library, records=dict(enumerate(records)))


@lru_cache(maxsize=2)
def _pack(reference: str) -> Pack:
    return open_pack(reference)


@lru_cache(maxsize=1)
def _minimal_case(path: str) -> Any:
    return read_minimal(path)


def _gates(source: CousinSource, cousin: int, engine: str, shake: int | None) -> dict[str, Any]:
    try:
        return {"values": measured_gates(source.scene(cousin), engine, shake=shake), "fault": ""}
    except EngineError as error:
        return {"values": {}, "fault": str(error)}


def _probe(source: CousinSource, cousin: int, request: Mapping[str, Any], starts: int) -> dict[str, Any]:
    try:
        return probed(source, cousin, request["engine"], starts=starts, seed=request["seed"]) | {"fault": ""}
    except EngineError as error:
        return {"joint_errors": [], "grasps": [], "fault": str(error)}


def main() -> None:
    """Answer requests until standard input ends or nobody reads the replies."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        simulator = Simulator()
        for line in sys.stdin:
            try:
                for reply in simulator.replies(json.loads(line)):
                    output.write(json.dumps(reply) + "\n")
                    output.flush()
                last: dict[str, Any] = {"done": True, "cpu_s": time.process_time()}
            except InputError as error:
                last = {"error": {"found": error.found, "expected": error.expected, "hint": error.hint}}
            output.write(json.dumps(last) + "\n")
            output.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(1)
