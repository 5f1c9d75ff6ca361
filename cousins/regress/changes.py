"""What has changed between a baseline and a run, in words: policy, task, engine, code, CPU, cousins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cousins.regress.baselines import TestBaseline
from cousins.regress.result_keys import Provenance, portable_key

MAX_NAMED_COUSINS: Final = 8
"""Most cousins that are listed by number."""
WORDS: Final[Mapping[str, str]] = {
    "policy": "policy",
    "task": "task",
    "engine": "engine",
    "engine_version": "engine version",
    "code": "simulation code or libraries",
    "cpu": "kind of CPU",
    "seed": "seed",
}
"""Name of each field of `Provenance` in a report, the most probable cause of a loss first."""


def changes_since(
    baseline: TestBaseline, *, provenance: Provenance, cousin_digests: Mapping[int, str]
) -> tuple[str, ...]:
    """Return what differs from a baseline; `cousin_digests` are those of the run's cousins by number."""
    fields = [words for name, words in WORDS.items() if getattr(provenance, name) != getattr(baseline.provenance, name)]
    changed = sorted(
        {
            cousin
            for (cousin, start), key in baseline.portable_keys.items()
            if cousin in cousin_digests and portable_key(cousin_digests[cousin], baseline.provenance, start) != key
        }
    )
    if not changed:
        return tuple(fields)
    named = ", ".join(str(cousin) for cousin in changed[:MAX_NAMED_COUSINS])
    more = ", …" if len(changed) > MAX_NAMED_COUSINS else ""
    return (*fields, f"{len(changed)} of {len(cousin_digests)} cousins ({named}{more})")
