"""Child processes that never outlive the process that began them, however that one ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import wait

from cousins import parent_watch
from cousins.parent_watch import die_with_parent


def bound_command(command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command so that it ends with this process.

    On Linux also with this thread, which therefore must wait for it. The first word is the path of a program.
    """
    return [sys.executable, "-I", "-S", parent_watch.__file__, str(os.getpid()), *command]


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back inside the context; processes that are begun in it never receive it: their parent handles it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Let this process of `multiprocessing` end with its parent, and with the thread there that began it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    assert parent.pid is not None, "a parent that runs has a number"
    if not die_with_parent(parent.pid):
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


@cache
def end_with_parent_process() -> None:
    """Let this process end with its parent process, whichever thread of that one began it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    """Wait for the other end of the parent's pipe to be closed, then end at once."""
    wait([sentinel])
    os._exit(1)
