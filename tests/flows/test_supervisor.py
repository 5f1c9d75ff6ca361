"""Ctrl-C ends a command within two seconds, whatever it does; a run cleans up its temporary files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
BEGIN = "import os, sys, subprocess, tempfile, time; from flows.supervisor import supervise; supervise()\n"
READY = "print(os.getpid(), tempfile.mkdtemp(), flush=True)\n"
WORK = {
    "waits": "time.sleep(60)",
    "computes in a library": "sum(range(10**11))",
    "swallows the interrupt": "try: time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(60)",
    "imports": "sys.path.insert(0, tempfile.gettempdir())\n"
    "open(tempfile.gettempdir() + '/slow.py', 'w').write('while True:\\n try: sum(range(10**7))\\n except: pass')\n"
    "import slow",
    "waits for a child": "from cousins.child_processes import bound_command\n"
    "subprocess.run(bound_command([sys.executable, '-c', 'import time; time.sleep(60)']))",
}


def started(program: str, tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + READY + program],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    _, scratch = process.stdout.readline().split()
    return process, Path(scratch)


@pytest.mark.parametrize("whole_group", [True, False])
@pytest.mark.parametrize("work", WORK)
def test_ctrl_c_ends_a_command_within_two_seconds(work: str, whole_group: bool, tmp_path: Path) -> None:  # noqa: FBT001
    process, _ = started(WORK[work], tmp_path)
    time.sleep(0.3)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    began = time.monotonic()
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=10.0)
    assert time.monotonic() - began < 2.0
    assert process.returncode == 130
    assert psutil.wait_procs(children, timeout=1.0)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_a_killed_command_leaves_no_process_and_the_next_one_removes_its_files(tmp_path: Path) -> None:
    process, scratch = started("time.sleep(60)", tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(children, timeout=5.0)[1] == []
    assert scratch.is_dir()
    following, _ = started("", tmp_path)
    following.communicate(timeout=10.0)
    assert following.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("work", "code", "words"),
    [
        ("sys.exit(7)", 7, ""),
        ("os.kill(os.getpid(), 9)", 128 + 9, "most often for lack of memory"),
        ("os.abort()", 128 + 6, "a library crashed (SIGABRT)"),
    ],
)
def test_the_exit_code_is_passed_on_and_a_death_is_explained(work: str, code: int, words: str, tmp_path: Path) -> None:
    process, _ = started(work, tmp_path)
    _, log = process.communicate(timeout=10.0)
    assert process.returncode == code
    assert words in log


def test_a_termination_is_passed_on(tmp_path: Path) -> None:
    process, _ = started("time.sleep(60)", tmp_path)
    process.terminate()
    process.communicate(timeout=5.0)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
