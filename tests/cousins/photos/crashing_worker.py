"""A child process that crashes with the signal that its request names."""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":
    name = sys.stdin.read() or "SIGSEGV"
    sys.stdout.write("partial")
    sys.stdout.flush()
    os.kill(os.getpid(), getattr(signal, name if name.startswith("SIG") else "SIGSEGV"))
