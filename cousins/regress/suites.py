"""Suite files: one TOML file names the pack, the policy, the episodes and the bounds of a verdict."""

from __future__ import annotations

import datetime
import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cousins.codec import plain
from cousins.errors import InputError
from cousins.regress.toml_values import TomlTable
from cousins.store import json_digest
from cousins.vary.cousins import AXES, SPLITS

FORMAT: Final = 1
"""Value of `format` in a suite file."""
PolicyKind = Literal["folder", "python", "wire"]
MAX_EPISODES: Final = 100_000
"""Most episodes of one test."""
DEFAULT_FUNCTION: Final = "act"
"""Function of a Python policy where the suite names none."""
MIN_SHAKEN_RUNS: Final = 20
"""Fewest shaken runs from which a band is learned."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PYTHON: Final = re.compile(r"(?P<file>.+\.py)(?::(?P<function>[A-Za-z_]\w*))?")
_WIRE: Final = re.compile(r"[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True, kw_only=True)
class CousinFilter:
    """Which cousins of the pack are tried."""

    split: str = "heldout_near"
    """Name of a split; unused where `numbers` are given."""
    count: int | None = 12
    """Most cousins, spread evenly over those that qualify; None for all."""
    axes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Interval of the distance to the twin on an axis, both ends included."""
    numbers: tuple[int, ...] = ()
    """Numbers of cousins, instead of a split."""


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """Where the policy is, and for a Python file the environment that it was written for."""

    path: str
    """Policy folder, `FILE.py` or `FILE.py:FUNCTION`, relative to the suite file; or the address of a policy server."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control: str | None = None
    """Name of the control."""
    control_hz: float | None = None
    """Actions per second [Hz]."""

    @property
    def kind(self) -> PolicyKind:
        """Whether it is a folder, a Python file or an address."""
        if _WIRE.match(self.path):
            return "wire"
        return "python" if _PYTHON.fullmatch(self.path) else "folder"

    @property
    def file_and_function(self) -> tuple[str, str]:
        """Path of a Python policy and the name of its function."""
        match = _PYTHON.fullmatch(self.path)
        assert match is not None, "only Python policies have a function"
        return match["file"], match["function"] or DEFAULT_FUNCTION


@dataclass(frozen=True, kw_only=True)
class GoldenSpec:
    """Episodes and cousins whose states and numbers are compared, not only their outcomes."""

    count: int = 4
    """Episodes of each test that are run twice in fresh processes, and shaken when a baseline is accepted."""
    shaken_runs: int = MIN_SHAKEN_RUNS
    """Runs with starts moved by 1e-9 m from which a band is learned."""


@dataclass(frozen=True, kw_only=True)
class QuarantineEntry:
    """A test or cousin whose result does not decide the exit code for a while."""

    test: str = ""
    """Id of a test, such as `push-mujoco`; empty for every test."""
    cousin: int | None = None
    """Number of a cousin whose episodes are left out; None for the whole test."""
    until: datetime.date
    """Last day on which the entry holds."""
    issue: str
    """Where the cause is being worked on."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a CI job runs."""

    name: str
    """Lower-case letters, digits, `-`, `_`."""
    pack: str
    """Pack folder relative to the suite file, `NAME:TAG@STORE` or `sha256:DIGEST@STORE`."""
    tasks: tuple[str, ...]
    """Names of tasks; each with each engine is one test."""
    engines: tuple[str, ...]
    """Names of engines."""
    policy: PolicySpec
    """The policy that acts."""
    cousins: CousinFilter = field(default_factory=CousinFilter)
    """The cousins that it acts in."""
    episodes: int = 240
    """Episodes of each test, spread evenly over its cousins."""
    budget_cpu_s: float = 600.0
    """CPU time after which no episode is begun any more [s]."""
    alpha: float = 0.01
    """Probability that the suite as a whole reports a regression where there is none."""
    seed: int = 0
    """Root of all randomness: starts, order of the episodes, which reused results are run again."""
    gates: Mapping[str, float] = field(default_factory=dict)
    """Largest value of a gate that passes, by its name."""
    golden: GoldenSpec = field(default_factory=GoldenSpec)
    """Episodes that are compared state by state."""
    quarantine: tuple[QuarantineEntry, ...] = ()
    """What does not decide the exit code for now."""
    folder: Path = Path()
    """Folder of the suite file, to which paths are relative."""

    @property
    def test_ids(self) -> tuple[str, ...]:
        """Ids of the tests, each a task in an engine."""
        return tuple(f"{task}-{engine}" for task in self.tasks for engine in self.engines)

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the verdicts; the place of the file and the quarantine do not."""
        content = {
            "format": FORMAT,
            "tasks": self.tasks,
            "engines": self.engines,
            "cousins": plain(self.cousins),
            "episodes": self.episodes,
            "alpha": self.alpha,
            "seed": self.seed,
            "gates": dict(self.gates),
            "golden": plain(self.golden),
        }
        return json_digest(plain(content))

    def resolved(self, text: str) -> str:
        """Return a path of the suite file made absolute; addresses, references and names stay as they are."""
        path = self.folder / text
        return os.fspath(path.resolve()) if path.exists() else text

    @property
    def pack_reference(self) -> str:
        """The pack as `open_pack` takes it."""
        return self.resolved(self.pack)


GATE_NAMES: Final = ("max_penetration_mm", "max_settle_mm", "max_drift_mm", "max_drift_deg", "escaped")
"""Gates that a suite may bound: the largest value over the objects of a scene; `escaped` counts those that fell off."""


def read_suite(path: Path) -> Suite:
    """Return the suite of a file; raises `InputError` that names the key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"no suite file {os.fspath(path)!r} ({error.strerror})",
            expected="a TOML file",
            hint="`cousins regress init PACK` writes one.",
        ) from error
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{os.fspath(path)!r} that is no TOML: {error}", expected="a TOML file", hint="Mend that line."
        ) from error
    return _suite_of(TomlTable(content, source=os.fspath(path)), folder=path.resolve().parent)


def _suite_of(table: TomlTable, *, folder: Path) -> Suite:
    if table.integer("format", FORMAT) != FORMAT:
        raise table.error("format", f"format = {FORMAT}")
    policy, cousins, golden = table.table("policy"), table.table("cousins"), table.table("golden")
    suite = Suite(
        name=table.text("name", pattern=_NAME),
        pack=table.text("pack"),
        tasks=table.names("tasks"),
        engines=table.names("engines", ("mujoco",)),
        policy=PolicySpec(
            path=policy.text("path"),
            body=policy.optional_text("body"),
            control=policy.optional_text("control"),
            control_hz=policy.number("control_hz", None, low=0.1, high=1000.0),
        ),
        cousins=_filter_of(cousins),
        episodes=table.integer("episodes", 240, low=1, high=MAX_EPISODES),
        budget_cpu_s=table.number("budget_cpu_s", 600.0, low=0.0, high=1e7) or 0.0,
        alpha=table.number("alpha", 0.01, low=1e-9, high=0.5) or 0.01,
        seed=table.integer("seed", 0, low=0, high=2**63 - 1),
        gates=_gates_of(table.table("gates")),
        golden=GoldenSpec(
            count=golden.integer("count", 4, low=0, high=1000),
            shaken_runs=golden.integer("shaken_runs", MIN_SHAKEN_RUNS, low=MIN_SHAKEN_RUNS, high=1000),
        ),
        quarantine=tuple(_quarantine_of(entry) for entry in table.tables("quarantine")),
        folder=folder,
    )
    for part in (policy, cousins, golden, table):
        part.require_nothing_else()
    _require_known_tests(suite, table)
    return suite


def _filter_of(table: TomlTable) -> CousinFilter:
    axes = table.table("axes")
    intervals = {axis: axes.interval(axis, low=0.0, high=1.0) for axis in AXES if axes.has(axis)}
    axes.require_nothing_else(names_read=AXES)
    split = table.text("split", CousinFilter.split)
    if split not in SPLITS:
        raise table.error("split", "one of " + ", ".join(SPLITS))
    count = table.integer("count", CousinFilter.count or 1, low=0, high=MAX_EPISODES)
    return CousinFilter(
        split=split, count=count or None, axes=intervals, numbers=table.integers("numbers", low=0, high=10**8)
    )


def _gates_of(table: TomlTable) -> dict[str, float]:
    gates = {name: table.number(name, 0.0, low=0.0, high=1e6) or 0.0 for name in GATE_NAMES if table.has(name)}
    table.require_nothing_else(names_read=GATE_NAMES)
    return gates


def _quarantine_of(table: TomlTable) -> QuarantineEntry:
    entry = QuarantineEntry(
        test=table.text("test", ""),
        cousin=table.integer("cousin", -1, low=-1, high=10**8) if table.has("cousin") else None,
        until=table.date("until"),
        issue=table.text("issue"),
    )
    if not entry.test and entry.cousin is None:
        raise table.error("test", "a test, a cousin, or both")
    table.require_nothing_else()
    return entry


def _require_known_tests(suite: Suite, table: TomlTable) -> None:
    for entry in suite.quarantine:
        if entry.test and entry.test not in suite.test_ids:
            close = difflib.get_close_matches(entry.test, suite.test_ids, n=1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise table.error(f"quarantine test {entry.test!r}", f"one of {', '.join(suite.test_ids)}{guess}")
