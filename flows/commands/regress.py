"""`cousins regress ACTION`: compare a policy's results in a pack with accepted ones, as a CI job does."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.extras import requires_extra
from flows.commands.arguments import add_progress_argument, whole_number
from flows.reporting.regress.causes import cause_page, cause_text, minimal_text
from flows.reporting.regress.drift import drift_text
from flows.reporting.regress.text import run_text

MINIMAL_SUFFIX = "minimal.json"
"""Ending of the names of minimal cases."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `cousins regress`, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    for name, purpose, add in (
        ("init", "write a commented suite file for a pack", _add_init),
        ("run", "run a suite and compare it with its baseline", _add_run),
        ("accept", "run a suite and write its results as the baseline", _add_accept),
        ("bisect", "name the axis, object and amount of a cousin that break a policy", _add_bisect),
        ("drift", "run a suite in several engines and versions, and show which agree", _add_drift),
        ("show", "show what is in a suite, a baseline or a result, or repeat one episode", _add_show),
    ):
        action_parser = actions.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        action_parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        add(action_parser)


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("regress.toml"), metavar="FILE", help="file to write (regress.toml)"
    )
    parser.add_argument("--task", default="push", metavar="NAME", help="the task to test (push)")
    parser.add_argument(
        "--policy", default="policy.py:act", metavar="POLICY", help="policy folder, FILE.py or FILE.py:FUNCTION"
    )


def _add_suite(parser: argparse.ArgumentParser, *, text: str = "suite file") -> None:
    parser.add_argument("suite", type=Path, metavar="SUITE", help=text)
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="folder of results, or an address such as s3://BUCKET/PREFIX (COUSINS_REGRESS, or the user's cache)",
    )
    add_progress_argument(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_suite(parser, text="suite file, or the minimal.json of a `bisect`")
    parser.add_argument("--against", type=Path, metavar="BASELINE", help="baseline (SUITE.baseline.json)")
    parser.add_argument("--budget", type=float, metavar="S", help="CPU seconds, instead of the suite's")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write all reports into this folder")
    parser.add_argument(
        "--films",
        type=whole_number(0, 20),
        default=3,
        metavar="N",
        help="with -o: film a lost episode of each of the N worst cousins for the HTML page (3)",
    )


def _add_accept(parser: argparse.ArgumentParser) -> None:
    _add_suite(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="baseline to write (SUITE.baseline.json)")


def _add_bisect(parser: argparse.ArgumentParser) -> None:
    _add_suite(parser)
    parser.add_argument("--against", type=Path, metavar="BASELINE", help="baseline (SUITE.baseline.json)")
    parser.add_argument("--test", metavar="ID", help="explain this test, such as push-mujoco (that with most losses)")
    parser.add_argument("--cousin", type=int, metavar="N", help="explain this cousin (that with most losses)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="minimal case to write (SUITE.minimal.json)")


def _add_drift(parser: argparse.ArgumentParser) -> None:
    _add_suite(parser)
    parser.add_argument(
        "--engine",
        action="append",
        required=True,
        metavar="NAME[=A,B]",
        help="engine, or versions of it that are installed in folders of their own, such as mujoco=3.14.0,3.17.0;"
        " repeat it for another engine; the first is what the others are compared with",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write drift.json and drift.html there")


def _add_show(parser: argparse.ArgumentParser) -> None:
    _add_suite(parser, text="suite file, baseline, or regress.json of a run")
    parser.add_argument("--episode", metavar="TEST:COUSIN:START", help="run this episode of a suite again")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Do what the action says."""
    if arguments.action == "init":
        return _init(arguments), 0
    with requires_extra("rl"):
        from cousins.regress.result_store import ResultStore, default_store
        from flows.execution.progress import progress_lines
    store = ResultStore(arguments.store or default_store())
    with progress_lines(arguments.progress_fd) as lines:
        return _ACTIONS[arguments.action](arguments, store, partial(_show_progress, lines.count))


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    return _FORMATS[result["action"]](result)


def _init(arguments: argparse.Namespace) -> dict[str, Any]:
    from cousins.pack.transfer.pull import open_pack
    from cousins.publishing import write_new
    from cousins.regress.suite_template import suite_template

    output: Path = arguments.output
    if output.exists():
        raise InputError(f"a file at {os.fspath(output)!r} already", expected="a new file", hint="Choose another: -o.")
    pack = open_pack(arguments.pack)
    folder = Path(arguments.pack)
    reference = os.path.relpath(folder, output.parent) if folder.is_dir() else arguments.pack
    name = re.sub(r"[^a-z0-9_-]+", "-", f"{pack.manifest.meta.name}-{arguments.task}".lower()).strip("-")
    text = suite_template(
        file=output.name, pack=reference, policy=arguments.policy, task=arguments.task, name=name or "suite"
    )
    write_new(output, text.encode())
    return {"action": "init", "suite": os.fspath(output), "pack": pack.digest}


def _run(arguments: argparse.Namespace, store: Any, progress: Callable[[str, int, int], None]) -> tuple[Any, int]:
    from flows.pipeline import regress_suites
    from flows.pipeline.regress_films import films_of_losses
    from flows.reporting.regress.files import without_films, write_reports

    if arguments.suite.name.endswith(MINIMAL_SUFFIX):
        from flows.pipeline.regress_causes import run_minimal

        minimal = run_minimal(arguments.suite)
        return {"action": "minimal", **minimal}, int(minimal["fails"])
    if arguments.budget is not None and not arguments.budget >= 0.0:
        raise InputError(f"--budget {arguments.budget}", expected="seconds from 0 on", hint="Leave it out.")
    result = regress_suites.run(
        arguments.suite, against=arguments.against, store=store, budget_cpu_s=arguments.budget, on_progress=progress
    )
    if arguments.output is not None:
        result["films"] = films_of_losses(arguments.suite, result, count=arguments.films)
        result["reports"] = write_reports(result, arguments.output)
        result = without_films(result)
    return {"action": "run", **result}, result["exit_code"]


def _bisect(arguments: argparse.Namespace, store: Any, progress: Callable[[str, int, int], None]) -> tuple[Any, int]:
    from cousins.publishing import write_atomic
    from flows.pipeline.regress_causes import bisect
    from flows.reporting.regress.files import without_films

    suite: Path = arguments.suite
    output: Path = arguments.output or suite.with_name(f"{suite.stem}.{MINIMAL_SUFFIX}")
    page = output.with_suffix(".html")
    result = bisect(
        suite,
        output=output,
        store=store,
        against=arguments.against,
        test=arguments.test,
        cousin=arguments.cousin,
        on_progress=progress,
    )
    result["page"] = os.fspath(page)
    write_atomic(page, cause_page(result).encode())
    return {"action": "bisect", **without_films(result)}, 0


def _accept(arguments: argparse.Namespace, store: Any, progress: Callable[[str, int, int], None]) -> tuple[Any, int]:
    from flows.pipeline import regress_suites

    result = regress_suites.accept(arguments.suite, output=arguments.output, store=store, on_progress=progress)
    return {"action": "accept", **result}, 0


def _drift(arguments: argparse.Namespace, store: Any, progress: Callable[[str, int, int], None]) -> tuple[Any, int]:
    from flows.pipeline.regress_drift import compare_engines
    from flows.reporting.regress.drift import write_drift_reports

    result = compare_engines(arguments.suite, engines=arguments.engine, store=store, on_progress=progress)
    if arguments.output is not None:
        result["reports"] = write_drift_reports(result, arguments.output)
    return {"action": "drift", **result}, 0


def _show(arguments: argparse.Namespace, store: Any, progress: Callable[[str, int, int], None]) -> tuple[Any, int]:
    import json

    from cousins.regress import baselines, suite_results
    from flows.pipeline import regress_suites

    del progress
    path: Path = arguments.suite
    if path.suffix == ".json":
        if path.name.endswith(baselines.SUFFIX):
            return {"action": "show", **regress_suites.describe_baseline(baselines.read_baseline(path))}, 0
        try:
            result = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{os.fspath(path)!r} ({error})", expected="a regress.json", hint="Name one.") from error
        if not isinstance(result, dict) or result.get("format") != suite_results.FORMAT:
            raise InputError(
                f"{os.fspath(path)!r} of another format",
                expected=f"a regress.json of format {suite_results.FORMAT!r}",
                hint="`cousins regress run SUITE -o DIR` writes one.",
            )
        return {**result, "action": "run"}, 0
    if arguments.episode is not None:
        return {"action": "show", **regress_suites.repeat_episode(path, arguments.episode)}, 0
    return {"action": "show", **regress_suites.describe_suite(path, store=store)}, 0


def _show_progress(count: Callable[[str, int, int], None], test: str, done: int, total: int) -> None:
    """Write how many episodes of a test are known, for programs and on a terminal."""
    count(test, done, total)
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{test}: {done} of {total}" + ("\n" if done == total else ""))


def _init_text(result: dict[str, Any]) -> str:
    return f"wrote {result['suite']}; set its policy, then `cousins regress accept {result['suite']}`"


def _accept_text(result: dict[str, Any]) -> str:
    lines = [f"wrote {result['baseline']}, digest {result['digest'][:12]}", *_baseline_lines(result)]
    return "\n".join([*lines, *(f"warning: {text}" for text in result["warnings"])])


def _show_text(result: dict[str, Any]) -> str:
    if "episode" in result:
        before = result["baseline"]
        lines = [f"{result['episode']} now: {_outcome_text(result['now'])}"]
        lines.append(f"baseline: {_outcome_text(before)}" if before else "the baseline has no such episode")
        return "\n".join([*lines, "same states" if result["same_states"] else "other states"])
    if "suite" not in result:
        return "\n".join(_baseline_lines(result))
    lines = [f"{result['suite']} on {result['pack']['name']} ({result['pack']['digest'][:12]})"]
    for test, item in result["tests"].items():
        lines.append(f"{test}: {item['episodes']} episodes in {len(item['cousins'])} cousins, {item['stored']} stored")
    baseline = result["baseline"]
    return "\n".join([*lines, *(_baseline_lines(baseline) if baseline else ["no baseline yet"])])


def _baseline_lines(result: dict[str, Any]) -> list[str]:
    return [
        f"baseline of {test}: {item['successes']} of {item['episodes']} succeed, {item['faults']} faults,"
        f" {item['goldens']} goldens ({item['chaotic']} chaotic), engine {item['engine_version']}"
        for test, item in result["tests"].items()
    ]


def _outcome_text(outcome: dict[str, Any]) -> str:
    how = "success" if outcome["success"] else outcome["fault"] or outcome["failure"]
    return f"{how}, progress {outcome['progress']:.3f}, {outcome['steps']} actions"


_ACTIONS: dict[str, Callable[..., tuple[Any, int]]] = {
    "run": _run,
    "accept": _accept,
    "bisect": _bisect,
    "drift": _drift,
    "show": _show,
}
_FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "init": _init_text,
    "run": run_text,
    "accept": _accept_text,
    "bisect": cause_text,
    "minimal": minimal_text,
    "drift": drift_text,
    "show": _show_text,
}
