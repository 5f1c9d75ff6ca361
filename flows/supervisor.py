"""A small process above each command: ends it on Ctrl-C within two seconds, and cleans up after it.

Python handles Ctrl-C only between two of its own steps: not while a library computes, and an interrupt that comes while
a module is imported may be swallowed. So the command runs in a child process, which is killed where it does not end by
itself. Killing is safe, because everything that a command writes is put in place in one step. Temporary files lie in a
folder of the run, which is removed at its end; those of killed runs are removed by the next one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from cousins.parent_watch import die_with_parent
from cousins.publishing import begin_staging

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C."""
GRACE_S: Final = 1.2
"""Time that a command has to end by itself after Ctrl-C [s]."""
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise() -> None:
    """Go on in a child process; this one waits for it, leaves with its exit code, and does not return."""
    parent = os.getpid()
    scratch, _ = begin_staging(Path(tempfile.gettempdir()))
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _begin(parent, scratch)
        return
    code = _Watch(child).exit_code()
    shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _begin(parent: int, scratch: Path) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, _interrupt_once)
    os.environ["TMPDIR"] = tempfile.tempdir = os.fspath(scratch)


def _interrupt_once(number: int, _: FrameType | None) -> NoReturn:
    """Interrupt the command, and let nothing interrupt what it does to end."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


class _Watch:
    """Waits for the command, and passes on the signals that this process gets."""

    def __init__(self, child: int) -> None:
        self._child = child
        self._interrupted = False
        for number in _FORWARDED:
            signal.signal(number, self._forward)
        signal.signal(signal.SIGALRM, self._kill)

    def exit_code(self) -> int:
        """Return the exit code of the command; 128 and more for a signal, as a shell does."""
        _, status = os.waitpid(self._child, 0)
        code = os.waitstatus_to_exitcode(status)
        if self._interrupted and code == -signal.SIGKILL:
            sys.stderr.write("interrupted in the middle of a step; nothing was left half done\n")
        if self._interrupted:
            return INTERRUPTED
        if code == -signal.SIGKILL:
            sys.stderr.write(
                "error: the system ended this process, most often for lack of memory\n"
                "       Close other programs, or use fewer or smaller inputs; what was finished is kept.\n"
            )
        elif code < 0 and code != -signal.SIGTERM:
            sys.stderr.write(f"error: a library crashed ({signal.Signals(-code).name}); what was finished is kept\n")
        return code if code >= 0 else 128 - code

    def _forward(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT:
            self._interrupted = True
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)
        os.kill(self._child, number)

    def _kill(self, *_: object) -> None:
        os.kill(self._child, signal.SIGKILL)
