"""Run a command that ends when its parent ends, and not on Ctrl-C: `python parent_watch.py PARENT COMMAND...`.

On Linux the kernel is is_bound to kill this process with its parent, and the command takes this process's place, number
included. Elsewhere this process stays beside the command, looks at its parent and kills the command when it has gone.
Imports nothing but the standard library, so that it starts in some milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

PERIOD_S = 0.25
"""Time between two looks at the parent, where the kernel does not do it [s]."""
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> bool:
    """Ask the kernel to kill this process when the thread that began it ends; return whether the kernel can.

    Ends this process at once where the process `parent` has gone already.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    is_bound = prctl is not None and prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    if os.getppid() != parent:
        os._exit(1)
    return is_bound


def main() -> None:
    """Become the command, or stay and watch the parent for it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if die_with_parent(parent):
        os.execv(command[0], command)
    sys.exit(watch(parent, command))


def watch(parent: int, command: list[str]) -> int:
    """Run the command until it ends or the parent does, and return its exit code, 128 and more for a signal."""
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    while (code := child.poll()) is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(PERIOD_S)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    main()
