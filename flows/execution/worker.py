"""The other process of a scan: runs the stages that it reads from standard input, a JSON line each."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from cousins.errors import CousinsError
from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.stage_options import StageOptions
from flows.execution.worker_process import call_from_json, half_the_threads, reference_to_json
from flows.pipeline.stages import STAGES


def main() -> None:
    """Answer until the input ends; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    first = sys.stdin.readline()
    if first:
        setup = json.loads(first)
        executor = StageExecutor(store=Store(Path(setup["store"])), options=StageOptions(**setup["options"]))
        with half_the_threads():
            serve(executor, sys.stdin, output)


def serve(executor: StageExecutor, questions: TextIO, output: TextIO) -> None:
    """Write an answer line for each question line."""
    for line in questions:
        output.write(json.dumps(answer(executor, json.loads(line))) + "\n")
        output.flush()


def answer(executor: StageExecutor, question: Mapping[str, object]) -> dict[str, object]:
    """Return the reference of the result, or the error as text: the parent meets it again and raises it."""
    try:
        return {"reference": reference_to_json(executor.run(call_from_json(question, STAGES)))}
    except CousinsError:
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    main()
