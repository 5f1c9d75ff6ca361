"""How many examples a fuzzing test tries: few in `make test`, all in `make test-slow`."""

from __future__ import annotations

import os

FULL = os.environ.get("COUSINS_FULL_FUZZING") == "1"
"""Whether all examples are tried."""
QUICK_SHARE = 8
"""`make test` tries one example in this many."""


def fuzzed(count: int) -> int:
    """Return the number of examples for a test that tries `count` in a full run."""
    return count if FULL else max(count // QUICK_SHARE, 20)
