"""Baselines: accepted results of a suite, one JSON file that is committed beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cousins.codec import plain
from cousins.errors import InputError
from cousins.publishing import write_atomic
from cousins.regress.bands import Band
from cousins.regress.outcomes import EpisodeOutcome, outcome_record, read_outcome
from cousins.regress.plans import Pair
from cousins.regress.result_keys import Provenance
from cousins.regress.suites import Suite
from cousins.store import json_digest

FORMAT: Final = "cousins regress baseline"
"""Value of `format`."""
VERSION: Final = 1
"""Version of the format; another one is refused."""
SUFFIX: Final = ".baseline.json"
"""Ending of a baseline beside its suite."""


@dataclass(frozen=True, kw_only=True)
class GoldenBaseline:
    """What was learned about an episode whose states are compared."""

    chaotic: str
    """Why it is not asserted on; empty where it is."""
    bands: Mapping[str, Band]
    """Bands of its numbers, by name."""


@dataclass(frozen=True, kw_only=True)
class TestBaseline:
    """Accepted results of one test."""

    provenance: Provenance
    """What produced them."""
    outcomes: Mapping[Pair, EpisodeOutcome]
    """Outcomes by episode."""
    portable_keys: Mapping[Pair, str]
    """Keys of the results on any CPU, by episode."""
    goldens: Mapping[Pair, GoldenBaseline]
    """Episodes whose states are compared."""

    __test__ = False


@dataclass(frozen=True, kw_only=True)
class GateBaseline:
    """Accepted gate values of the cousins in one engine."""

    provenance: Provenance
    """What produced them; task, policy and seed are empty."""
    cousins: Mapping[int, str]
    """Digests of the cousins by number."""
    bands: Mapping[int, Mapping[str, Band]]
    """Bands of the gate values, by cousin and by name of the gate."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Accepted results of a suite."""

    suite: str
    """Digest of the suite."""
    pack_name: str
    """Name of the pack."""
    pack_digest: str
    """Digest of the pack."""
    tests: Mapping[str, TestBaseline]
    """Results by id of the test."""
    gates: Mapping[str, GateBaseline] = field(default_factory=dict)
    """Gate values by engine."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return json_digest(_record(self))


def baseline_path(suite_path: Path) -> Path:
    """Return where the baseline of a suite lies unless another one is named."""
    return suite_path.with_name(suite_path.stem + SUFFIX)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline, an episode a line, so that differences can be read."""
    record = _record(baseline)
    record["sha256"] = json_digest(_record(baseline))
    text = json.dumps(record, sort_keys=True, indent=1, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def read_baseline(path: Path) -> Baseline:
    """Return the baseline of a file; raises `InputError`."""
    source = os.fspath(path)
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"no baseline {source!r} ({error.strerror})",
            expected="a file that `cousins regress accept` wrote",
            hint="Type `cousins regress accept SUITE` to make one.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(source, str(error)) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("version") != VERSION:
        raise _damaged(source, f"format {record.get('format')!r}" if isinstance(record, dict) else "no object")
    digest = record.pop("sha256", None)
    if digest != json_digest(record):
        raise _damaged(source, "its content is not of its SHA-256: it was edited")
    return _baseline_of(record, source=source)


def require_comparable(baseline: Baseline, suite: Suite, *, pack_name: str, source: str) -> None:
    """Raise `InputError` where a baseline is of another suite, pack or engine."""
    hint = f"Type `cousins regress accept SUITE` to replace it, or name another one: --against FILE (this: {source})."
    if baseline.pack_name != pack_name:
        raise InputError(f"a baseline of pack {baseline.pack_name!r}", expected=f"one of {pack_name!r}", hint=hint)
    missing = [test for test in suite.test_ids if test not in baseline.tests]
    if missing:
        raise InputError(
            f"a baseline of the tests {', '.join(baseline.tests)}", expected=f"{missing[0]} among them", hint=hint
        )
    if baseline.suite != suite.digest:
        raise InputError(
            f"a baseline of suite {baseline.suite[:12]}",
            expected=f"one of {suite.digest[:12]}: the same episodes, seed, alpha and gates",
            hint=hint,
        )


def _record(baseline: Baseline) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "suite": baseline.suite,
        "pack": {"name": baseline.pack_name, "digest": baseline.pack_digest},
        "tests": {
            test: {
                "provenance": plain(item.provenance),
                "episodes": [
                    {"key": item.portable_keys[pair], **outcome_record(outcome), "cpu_s": 0.0}
                    for pair, outcome in sorted(item.outcomes.items())
                ],
                "goldens": [
                    {"pair": list(pair), "chaotic": golden.chaotic, "bands": bands_record(golden.bands)}
                    for pair, golden in sorted(item.goldens.items())
                ],
            }
            for test, item in baseline.tests.items()
        },
        "gates": {
            engine: {
                "provenance": plain(item.provenance),
                "cousins": [
                    {"cousin": number, "digest": digest, "bands": bands_record(item.bands[number])}
                    for number, digest in sorted(item.cousins.items())
                ],
            }
            for engine, item in baseline.gates.items()
        },
    }


def bands_record(bands: Mapping[str, Band]) -> dict[str, list[float]]:
    """Return bands as JSON values."""
    return {name: [band.low, band.high] for name, band in bands.items()}


def read_bands(record: Mapping[str, Any]) -> dict[str, Band]:
    """Return the bands of JSON values, by name."""
    return {name: Band(low=float(low), high=float(high)) for name, (low, high) in record.items()}


def _baseline_of(record: Mapping[str, Any], *, source: str) -> Baseline:
    try:
        tests = {test: _read_test(item, source) for test, item in record["tests"].items()}
        gates = {engine: _read_gates(item) for engine, item in record["gates"].items()}
        return Baseline(
            suite=record["suite"],
            pack_name=record["pack"]["name"],
            pack_digest=record["pack"]["digest"],
            tests=tests,
            gates=gates,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(source, f"{type(error).__name__}: {error}") from error


def _read_test(record: Mapping[str, Any], source: str) -> TestBaseline:
    keys, outcomes = {}, {}
    for episode in record["episodes"]:
        content = dict(episode)
        key = str(content.pop("key"))
        outcome = read_outcome(content, source=source)
        outcomes[outcome.pair], keys[outcome.pair] = outcome, key
    return TestBaseline(
        provenance=Provenance(**record["provenance"]),
        outcomes=outcomes,
        portable_keys=keys,
        goldens={
            (int(golden["pair"][0]), int(golden["pair"][1])): GoldenBaseline(
                chaotic=str(golden["chaotic"]), bands=read_bands(golden["bands"])
            )
            for golden in record["goldens"]
        },
    )


def _read_gates(record: Mapping[str, Any]) -> GateBaseline:
    return GateBaseline(
        provenance=Provenance(**record["provenance"]),
        cousins={int(item["cousin"]): str(item["digest"]) for item in record["cousins"]},
        bands={int(item["cousin"]): read_bands(item["bands"]) for item in record["cousins"]},
    )


def _damaged(source: str, reason: str) -> InputError:
    return InputError(
        f"a baseline {source!r} that cannot be trusted: {reason}"[:300],
        expected=f"a file that `cousins regress accept` wrote, version {VERSION}",
        hint="Restore it from version control, or type `cousins regress accept SUITE`.",
    )
