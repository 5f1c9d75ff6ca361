"""No child process outlives the process that began it, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cousins import parent_watch
from cousins.child_processes import bound_command

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
PARENTS = {
    "a program": "import subprocess, sys, time; from cousins.child_processes import bound_command\n"
    f"subprocess.run(bound_command([sys.executable, '-c', {SLEEP!r}]))",
    "a program where no kernel watches": "import subprocess, sys, os; from cousins import parent_watch\n"
    "program = 'import sys; from cousins import parent_watch; parent_watch.die_with_parent = lambda parent: False; '\n"
    "program += 'parent_watch.main()'\n"
    f"subprocess.run([sys.executable, '-c', program, str(os.getpid()), sys.executable, '-c', {SLEEP!r}])",
    "a process of multiprocessing": "import multiprocessing; from tests.cousins.test_child_processes import wait\n"
    "process = multiprocessing.get_context('spawn').Process(target=wait); process.start(); process.join()",
}


def wait() -> None:
    from cousins.child_processes import end_with_parent

    end_with_parent()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    time.sleep(60.0)


@pytest.mark.parametrize("kind", PARENTS)
def test_children_of_a_killed_process_end_at_once(kind: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENTS[kind]], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs(children, timeout=5.0)
    for process in alive:
        process.kill()
    assert alive == []


def test_a_child_whose_parent_has_gone_already_does_not_begin() -> None:
    command = [sys.executable, parent_watch.__file__, str(os.getpid() + 1), sys.executable, "-c", "print('began')"]
    process = subprocess.run(command, capture_output=True, check=False)
    assert (process.returncode, process.stdout) == (1, b"")


def test_a_child_gives_its_output_and_its_exit_code() -> None:
    program = "import sys; print(sys.stdin.read()); sys.exit(3)"
    process = subprocess.run(
        bound_command([sys.executable, "-c", program]), input="word", capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stdout) == (3, "word\n")
    process = subprocess.run(
        bound_command([sys.executable, "-c", "import os; os.abort()"]), capture_output=True, text=True, check=False
    )
    assert process.returncode == -signal.SIGABRT
