"""Every command of `cousins` once or more, in one process, for environments where extras may be missing.

A script without imports from elsewhere in the tests, so that it also runs beside an installed wheel:
`python commands.py INPUTS WORK` runs all command lines on the inputs that `inputs` wrote
and prints one JSON object: `commands`, what each line gave, and `python`, what the same functions gave from Python.
`python commands.py INPUTS WORK LINES` runs the command lines of a JSON file instead.
"""

import _thread
import contextlib
import faulthandler
import io
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NEEDED_EXTRA = {
    "demo": "sim",
    "scan": "sim",
    "label": "sim",
    "vary": "sim",
    "tasks": "sim",
    "eval": "sim",
    "train": "rl",
    "record": "record",
    "film": "record",
    "cell": "cells",
    "policy": "rl",
    "tag-sheet": "vision",
}
"""Extra that a command names where none is installed; every other command works."""
HANGS_AFTER_S = 280
"""When to end and show where each thread is [s]: before the test that waits for it gives up."""
NO_GATES = "no gates: no physics engine is installed, pip install 'cousins[sim]'"


def command_lines(inputs: Path, work: Path, port: int) -> list[list[str]]:
    """Return the command lines, at least one of each command, in an order in which they can run."""
    scene, pack, tags = inputs / "scene", inputs / "pack", "tiny:v1"
    policy = ["eval", "record", "film"]
    lines = [
        ["doctor"],
        ["models"],
        ["tag-sheet", "-o", work / "tags.pdf"],
        ["demo", "-o", work / "demo", "--no-policy"],
        ["scan", inputs / "capture", "-o", work / "scanned"],
        ["scan", inputs / "meshes/box.obj", "-o", work / "scanned_mesh"],
        ["inspect", inputs / "capture"],
        ["inspect", scene],
        ["inspect", pack],
        ["check", scene],
        ["check", scene / "scene.usda"],
        ["view", scene, "--no-browser", "--port", port],
        ["setup", "nerfstudio"],
        ["background", inputs / "capture", scene],
        ["label", scene, "box", "wooden box"],
        ["recipe", "init", scene, "-o", work / "recipe.toml"],
        ["vary", scene, "-n", "3", "-o", work / "varied", "--recipe", inputs / "recipe.toml", "--workers", "1"],
        ["assets", "add", inputs / "meshes", "--licence", "CC0-1.0", "--library", work / "library"],
        ["assets", "ls", "--library", work / "library"],
        ["pack", "info", pack],
        ["pack", "verify", pack, "--deep"],
        ["pack", "push", pack, work / "registry", "--tag", tags],
        ["pack", "ls", work / "registry"],
        ["pack", "pull", f"{tags}@{work / 'registry'}", "-o", work / "pulled"],
        ["pack", "diff", pack, work / "pulled"],
        ["pack", "gc", work / "registry", "--dry-run"],
        ["pack", "export", pack, "--cousin", "1", "-o", work / "exported"],
        ["pack", "gallery", work / "pulled", "--count", "2"],
        ["tasks", pack, "--count", "1"],
        ["regress", "init", pack, "-o", work / "regress.toml"],
        ["cell", "check", inputs / "cell.toml"],
        ["policy", "serve", inputs / "policy", "--port", "0"],
        ["train", pack, "-o", work / "policy", "--steps", "64", "--rows", "2"],
        *([name, inputs / "policy.py", "--pack", pack, "--episodes", "1"] for name in policy),
    ]
    for line in lines:
        if line[0] in ("record", "film"):
            line += ["-o", work / line[0]]
    return [[str(word) for word in line] for line in lines]


def run_line(words: list[str]) -> dict[str, object]:
    """Run one command line with `--json`; return its words, exit code, result and log."""
    from flows.cli import run

    output, log = io.StringIO(), io.StringIO()
    started = time.perf_counter()
    with contextlib.redirect_stderr(log):
        code = run([*words, "--json"], output)
    text = output.getvalue()
    return {
        "words": words,
        "code": code,
        "result": json.loads(text) if text else None,
        "log": log.getvalue()[-2000:],
        "seconds": round(time.perf_counter() - started, 2),
    }


def from_python(inputs: Path, work: Path) -> dict[str, str]:
    """Use every public name of `cousins` and call what simulates; return the error of each, empty for none."""
    import cousins

    calls = {name: (lambda name=name: getattr(cousins, name)) for name in cousins.__all__}
    calls |= {
        "scan()": lambda: cousins.scan(inputs / "meshes/box.obj", work / "scanned_mesh"),
        "make_pack()": lambda: cousins.make_pack(inputs / "scene", work / "varied", count=1),
        "make_pack(runner='prefect')": lambda: cousins.make_pack(inputs / "scene", work / "varied", runner="prefect"),
        "settle()": lambda: cousins.settle(cousins.open_pack(inputs / "pack").scene(0)),
    }
    errors = {}
    for name, call in calls.items():
        try:
            call()
            errors[name] = ""
        except Exception as error:  # noqa: BLE001
            errors[name] = f"{type(error).__name__}: {error}"
    return errors


def end_view(port: int, ended: threading.Event) -> None:
    """Press Ctrl-C once `cousins view` serves its page, or after a minute, and again every 5 s until it has ended.

    An interrupt that arrives in a finaliser is swallowed by Python.
    """
    for _ in range(600):
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/report.html", timeout=5).read()
            break
        time.sleep(0.1)
    pause_s = 0.2
    while not ended.wait(pause_s):
        _thread.interrupt_main()
        pause_s = 5.0


def main() -> None:
    """Run everything and print what it gave."""
    faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
    # A shell starts what runs in the background with interrupts ignored, and then `view` would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inputs, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    os.environ["COUSINS_STORE"] = str(work / "store")
    os.environ.pop("PREFECT_API_URL", None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    some_lines = json.loads(Path(sys.argv[3]).read_text()) if len(sys.argv) > 3 else None
    results = []
    for words in some_lines or command_lines(inputs, work, port):
        if words[0] == "setup":
            set_up_nerfstudio(work / "store")
        ended = threading.Event()
        if words[0] == "view":
            threading.Thread(target=end_view, args=(port, ended), daemon=True).start()
        results.append(run_line(words))
        ended.set()
    python = {} if some_lines else from_python(inputs, work)
    json.dump({"commands": results, "python": python}, sys.stdout)


def unexpected(results: dict[str, Any], commands: Iterable[str]) -> list[str]:
    """Return what is wrong with results without any extra: a command that fails in another way, or that was not run."""
    wrong = [f"{name} was not run" for name in commands if name not in {run["words"][0] for run in results["commands"]}]
    wrong += [f"{run['words']}: {run}" for run in results["commands"] if not is_expected(run)]
    wrong += [
        f"cousins.{name}: {error}"
        for name, error in results["python"].items()
        if error and not (error.startswith("InputError: ") and "expected the extra `" in error)
    ]
    return wrong


def is_expected(run: dict[str, Any]) -> bool:
    """Return whether a command worked, or named what it needs, without any extra."""
    name, code, result = run["words"][0], run["code"], run["result"]
    if "this is a bug" in run["log"] or result is None:
        return False
    if name in NEEDED_EXTRA:
        error, extra = result.get("error", {}), NEEDED_EXTRA[name]
        hint = f"pip install 'cousins[{extra}]'"
        return code == 2 and error.get("expected") == f"the extra `{extra}`" and hint in error["hint"]
    if name == "background":
        return code == 2 and result["error"]["hint"].startswith("Type `cousins setup nerfstudio`")
    if name == "doctor":
        named = any("pip install 'cousins[sim]'" in hint for hint in result["hints"])
        return code == 1 and result["engines"] == [] and not result["checks"]["physics"] and named
    if name == "check" and result["kind"] == "scene" and result["rules"][-1] != NO_GATES:
        return False
    return code == 0 and "error" not in result


def set_up_nerfstudio(store: Path) -> None:
    """Leave the stamp of a finished environment, so that `cousins setup` downloads nothing."""
    from cousins.reconstruct.backends.nerfstudio import REQUIREMENTS
    from cousins.store import file_digest
    from flows.commands.setup import STAMP

    folder = store / "environments/nerfstudio"
    folder.mkdir(parents=True)
    (folder / STAMP).write_text(file_digest(REQUIREMENTS))


if __name__ == "__main__":
    main()
