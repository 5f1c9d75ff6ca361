"""Count the small edits of the modules that decide that a covering test notices: `make mutants`.

Mutated are verdicts, statistics, distances, splits, digests, gates and the success of tasks: each comparison, operator,
number and condition by itself (`mutations.py`). A mutant is killed where a covering test fails, or where the tests take
far longer than without it. Mutants that cannot change any result count as survivors too.

Each module has an interpreter that imports it once; each mutant is a fork of it in which the code of one function is
exchanged, and runs the covering tests of the module alone. cosmic-ray starts an interpreter for each mutant, which
imports for seconds; mutmut forks too, and would bring a terminal interface and a second parser. Outcomes are kept by
the content of module and tests in `--state`: a run that was cut goes on, and changed modules alone run again.

    python benchmarks/robustness/mutants.py [--quick] [--only WORDS] [--limit N] [--state FILE] [--survivors] [--json]
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutations import Mutation, mutations

from program import program_parser, run_program
from rows import Row, at_least, entry, points

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / "out/mutants.jsonl"
PROCESSES = 2
LEAST_LIMIT_S = 20.0
"""Shortest time after which a mutant counts as killed [s]."""
SLOWER = 6.0
"""Time after which a mutant counts as killed, relative to the tests without it."""
QUICK_MUTANTS = 4
MOST_MUTANTS = 60
"""Largest number of mutants of one module; a fixed sample of them where there are more."""
ROWS = (
    Row(quantity="mutants that were run", bar="≥ 400", value=entry("mutants"), met=at_least(400)),
    Row(quantity="noticed by a covering test [%]", bar="≥ 85", value=points("score"), met=at_least(85), digits=1),
    Row(quantity="noticed by the time that they take", value=entry("timeouts")),
    Row(
        quantity="by module: noticed of run",
        value=lambda result: ", ".join(f"{name} {row[0]}/{row[1]}" for name, row in result["modules"].items()),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A module that is mutated."""

    path: str
    """File, relative to the project."""
    tests: tuple[str, ...]
    """Test files that cover it."""
    keyword: str = ""
    """Expression of `pytest -k` that selects among them."""
    functions: tuple[str, ...] = ()
    """Functions that are mutated, by qualified name; empty for all."""


REGRESS = "tests/cousins/regress/"
JUDGING = ("tests/sim/tasks/test_judging.py",)
REGISTRY = ("tests/cousins/pack/test_registry.py",)
SUBJECTS = (
    Subject(
        path="cousins/regress/verdicts.py",
        tests=(REGRESS + "test_verdicts.py",),
    ),
    Subject(path="cousins/regress/sequential.py", tests=(REGRESS + "test_sequential.py", REGRESS + "test_verdicts.py")),
    Subject(path="cousins/regress/exact_tests.py", tests=(REGRESS + "test_sequential.py",)),
    Subject(path="cousins/regress/bands.py", tests=(REGRESS + "test_verdicts.py",)),
    Subject(path="cousins/regress/minimising.py", tests=(REGRESS + "test_causes.py",), keyword="debugging or bisected"),
    Subject(path="sim/train/proportions.py", tests=("tests/sim/train/test_proportions.py",)),
    Subject(
        path="cousins/vary/distance.py",
        tests=("tests/cousins/vary/test_distance.py", "tests/cousins/vary/test_cousin_sampler.py"),
    ),
    Subject(path="cousins/vary/coverage.py", tests=("tests/cousins/vary/test_cousin_sampler.py",)),
    Subject(
        path="cousins/vary/library/variants.py",
        tests=("tests/cousins/vary/test_held_out.py",),
        functions=("_with_held_out",),
    ),
    Subject(
        path="sim/validation/candidate_blocks.py",
        tests=("tests/sim/validation/test_candidate_blocks.py",),
        keyword="splits_take",
        functions=("split_of",),
    ),
    Subject(path="cousins/pack/verification.py", tests=REGISTRY),
    Subject(path="cousins/pack/transfer/cache.py", tests=REGISTRY),
    Subject(
        path="sim/validation/gates.py",
        tests=("tests/sim/validation/test_gates.py",),
        functions=("_scene_results", "_drop_results", "_cavity_results", "_agreement_results", "_gate_result"),
    ),
    Subject(path="sim/envs/metrics.py", tests=("tests/sim/envs/test_env.py",)),
    *(
        Subject(path=f"sim/tasks/backends/{name}.py", tests=JUDGING)
        for name in ("push", "lift", "place", "stack", "open_drawer", "close_drawer", "open_door")
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick=f"{QUICK_MUTANTS} mutants of each module")
    parser.add_argument("--only", default="", metavar="WORDS", help="modules whose paths hold these words")
    parser.add_argument("--limit", type=int, default=MOST_MUTANTS, help=f"mutants of each module ({MOST_MUTANTS})")
    parser.add_argument("--state", type=Path, default=STATE, help="file that keeps outcomes (out/mutants.jsonl)")
    parser.add_argument("--survivors", action="store_true", help="list what no test noticed")
    parser.add_argument("--module", help="run the mutants of this module in this process")
    arguments = parser.parse_args()
    arguments.limit = QUICK_MUTANTS if arguments.quick else arguments.limit
    if arguments.module:
        subject = next(subject for subject in SUBJECTS if subject.path == arguments.module)
        run_module(subject, limit=arguments.limit, state=arguments.state)
    else:
        run_program(parser, measure, show=show)


def measure(arguments: Namespace) -> dict[str, Any]:
    limit = QUICK_MUTANTS if arguments.quick else arguments.limit
    arguments.state.parent.mkdir(parents=True, exist_ok=True)
    subjects = [subject for subject in SUBJECTS if arguments.only in subject.path]
    run_modules(subjects, limit=limit, state=arguments.state)
    stored, modules, survivors, outcomes = read_state(arguments.state), {}, [], Counter[str]()
    for subject in subjects:
        keys = [f"{content_of(subject)}/{mutant.key}" for mutant in sample(subject, limit)]
        counts = Counter(stored[key] for key in keys if key in stored)
        outcomes += counts
        modules[subject.path.rsplit("/", 1)[-1].removesuffix(".py")] = [
            counts["failed"] + counts["slow"],
            counts.total(),
        ]
        survivors += [f"{subject.path}:{key.split('/', 1)[1]}" for key in keys if stored.get(key) == "passed"]
    noticed = outcomes["failed"] + outcomes["slow"]
    return {
        "mutants": outcomes.total(),
        "score": noticed / max(outcomes.total(), 1),
        "timeouts": outcomes["slow"],
        "modules": modules,
        "survivors": survivors if arguments.survivors or arguments.json else [],
    }


def run_modules(subjects: Iterable[Subject], *, limit: int, state: Path) -> None:
    """Run the mutants of modules, each module in an interpreter of its own; raises where one cannot be run."""
    waiting, running = list(subjects), dict[str, subprocess.Popen[bytes]]()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            subject = waiting.pop(0)
            words = [sys.executable, __file__, "--module", subject.path, "--limit", str(limit), "--state", str(state)]
            running[subject.path] = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=sys.stderr)
        time.sleep(0.2)
        for path, process in list(running.items()):
            if process.poll() is not None:
                del running[path]
                if process.returncode:
                    raise RuntimeError(f"the mutants of {path} could not be run; what it printed says why")


def run_module(subject: Subject, *, limit: int, state: Path) -> None:
    """Run what is not in `state` yet of the mutants of one module, and add their outcomes to it."""
    prefix, stored = content_of(subject), read_state(state)
    left = [mutant for mutant in sample(subject, limit) if f"{prefix}/{mutant.key}" not in stored]
    if not left:
        return
    module = importlib.import_module(subject.path.removesuffix(".py").replace("/", "."))
    functions = dict(functions_of(module))
    began = time.monotonic()
    if (code := in_fork(lambda: run_tests(subject), limit_s=600.0)) != 0:
        raise RuntimeError(f"{' '.join(subject.tests)} ends with {code} without a mutant; mend that first")
    limit_s = max(LEAST_LIMIT_S, SLOWER * (time.monotonic() - began))
    for mutant in left:
        code = in_fork(lambda mutant=mutant: run_mutant(mutant, subject, functions), limit_s=limit_s)  # type: ignore[misc]
        outcome = {0: "passed", 1: "failed", -1: "slow"}.get(code, "failed")
        with state.open("a", encoding="utf-8") as file:
            file.write(json.dumps([f"{prefix}/{mutant.key}", outcome]) + "\n")


def run_mutant(mutant: Mutation, subject: Subject, functions: dict[str, FunctionType]) -> int:
    """Exchange the code of the mutated function in this process, and run the covering tests."""
    (code,) = [
        code
        for code in codes_of(compile(mutant.tree, str(ROOT / subject.path), "exec"))
        if code.co_qualname == mutant.function
    ]
    functions[mutant.function].__code__ = code
    return run_tests(subject)


def run_tests(subject: Subject) -> int:
    """Run the covering tests until one fails, and return pytest's exit code."""
    import pytest

    words = ["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", *subject.tests]
    return int(pytest.main([*words, *(["-k", subject.keyword] if subject.keyword else [])]))


def in_fork(work: Callable[[], int], *, limit_s: float) -> int:
    """Return what a function returns in a fork of this process; -1 where it takes longer than the limit."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os._exit(work())
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def functions_of(holder: Any) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions that a module or class defines, by qualified name; decorated ones as they were before."""
    module = getattr(holder, "__module__", holder.__name__)
    for value in vars(holder).values():
        inner = getattr(value, "fget", None) or getattr(value, "__func__", None) or getattr(value, "__wrapped__", value)
        if isinstance(inner, FunctionType) and inner.__module__ == module:
            yield inner.__code__.co_qualname, inner
        elif isinstance(value, type) and value.__module__ == module and value is not holder:
            yield from functions_of(value)


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Yield all code objects in a code object."""
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield value
            yield from codes_of(value)


def sample(subject: Subject, limit: int) -> list[Mutation]:
    """Return the mutants of a module, at most so many: a sample that depends on its source alone."""
    source = (ROOT / subject.path).read_text(encoding="utf-8")
    mutants = {
        mutant.key: mutant
        for mutant in mutations(source)
        if not subject.functions or mutant.function in subject.functions
    }
    keys = sorted(mutants)
    if len(keys) > limit:
        keys = random.Random(hashlib.sha256(source.encode()).hexdigest()).sample(keys, limit)
    return [mutants[key] for key in sorted(keys, key=lambda key: int(key.split(":")[0]))]


def content_of(subject: Subject) -> str:
    """Return the hash of a module and its tests, by which outcomes are kept."""
    names = (subject.path, *subject.tests)
    texts = [ast.dump(ast.parse((ROOT / name).read_text(encoding="utf-8"))) for name in names]
    return hashlib.sha256("\n".join((*names, subject.keyword, *texts)).encode()).hexdigest()[:16]


def read_state(state: Path) -> dict[str, str]:
    """Return the outcomes that are kept, by content and mutant; a line that was cut is passed over."""
    outcomes: dict[str, str] = {}
    for line in state.read_text(encoding="utf-8").splitlines() if state.is_file() else ():
        try:
            key, outcome = json.loads(line)
        except ValueError:
            continue
        outcomes[key] = outcome
    return outcomes


def show(result: dict[str, Any]) -> None:
    for name in result["survivors"]:
        print(f"survived: {name}")
    for name, (noticed, count) in result["modules"].items():
        print(f"{name:20} {noticed} of {count}")
    print(f"{100 * result['score']:.1f} % of {result['mutants']} mutants noticed, {result['timeouts']} by their time")


if __name__ == "__main__":
    main()
