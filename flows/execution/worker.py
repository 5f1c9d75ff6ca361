"""The other process of a scan: carries out the stages that it reads from standard input, a JSON line each."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from cousins.errors import CousinsError
from cousins.store import Store
from flows.execution.executor import Desk, Options
from flows.execution.worker_process import half_the_threads, unpacked
from flows.pipeline.stages import STAGES


def main() -> None:
    """Answer until the input ends; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    first = sys.stdin.readline()
    if first:
        told = json.loads(first)
        with half_the_threads():
            serve(Desk(store=Store(Path(told["store"])), options=Options(**told["options"])), sys.stdin, output)


def serve(desk: Desk, questions: TextIO, output: TextIO) -> None:
    """Write an answer line for each question line."""
    for line in questions:
        output.write(json.dumps(answer(desk, json.loads(line))) + "\n")
        output.flush()


def answer(desk: Desk, question: dict[str, Any]) -> dict[str, Any]:
    """Return the reference of the result, or the error as text: who asked will meet it again and raise it."""
    stage = STAGES[question["stage"]]
    inputs = {name: unpacked(value) for name, value in question["inputs"].items()}
    try:
        return {"reference": asdict(desk.carry_out(stage, **inputs))}
    except CousinsError:
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    main()
