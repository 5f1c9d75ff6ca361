"""What tests of the pytest plugin take: cousins, worlds of a task, and goldens."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.pack.packs import Pack, selection_of
from cousins.pack.records.cousin_records import variants_of
from cousins.pack.transfer.pull import open_pack
from cousins.publishing import write_atomic
from cousins.regress.bands import chaos, learned_bands, outside
from cousins.regress.baselines import bands_record, read_bands
from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.plans import qualifying_cousins, spread
from cousins.regress.result_keys import cousin_digest
from cousins.regress.suites import MIN_SHAKEN_RUNS, CousinFilter, Suite, read_suite
from cousins.scene.scenes import Scene
from cousins.store import json_digest
from sim.regress.episode_runs import EpisodeRunner
from sim.regress.policies import load_actor, resolved_policy
from sim.regress.provenance import code_digest, cpu_digest, engine_version
from sim.regress.suite_plans import afforded_cousins
from sim.tasks import build_task
from sim.train.actors import Actor
from sim.train.python_policies import PythonPolicyCard

FILTER_OPTIONS: Final = frozenset(("split", "count", "axes", "numbers"))
"""Arguments of the marker that select cousins."""
WORLD_OPTIONS: Final = frozenset(("task", "engine", "body", "control", "control_hz"))
"""Arguments of the marker that describe the world."""
GOLDEN_FORMAT: Final = "cousins golden 1"
"""Value of `format` in a golden's file."""
_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True, eq=False)
class CousinCase:
    """A cousin in a test."""

    pack: Pack
    """The pack that it is of."""
    index: int
    """Number of the cousin."""
    digest: str
    """Digest of its record and assets."""

    @property
    def id(self) -> str:
        """Number and content, such as `c0017-1a2b3c4d`: the same in every run and worker."""
        return f"c{self.index:04d}-{self.digest[:8]}"

    @property
    def group(self) -> str:
        """Name of the set of assets that it shows; tests of one group run in one worker of xdist."""
        return json_digest(sorted(variants_of(self.pack.cousin(self.index))))[:8]

    @property
    def distances(self) -> Mapping[str, float]:
        """Distance to the twin by axis, 0 to 1."""
        return self.pack.cousin(self.index).distances

    def scene(self) -> Scene:
        """Return its scene."""
        return self.pack.scene(self.index)

    def mjcf(self, *, visuals: bool = False) -> tuple[str, dict[str, bytes]]:
        """Return it as MJCF text and the files that it names, as `MjModel.from_xml_string` takes them."""
        return self.pack.mjcf(self.index, visuals=visuals)

    def properties(self) -> list[tuple[str, object]]:
        """Return what JUnit files say of the test."""
        return [("cousins.pack", self.pack.digest), ("cousins.cousin", self.id), ("cousins.cpu", cpu_digest())]


@dataclass(frozen=True, kw_only=True)
class FunctionPolicy:
    """A policy that is a function from observations [n, k] to actions [n, m]."""

    card: PythonPolicyCard
    """The environment that it is tried in."""
    function: Callable[[Array], Any]
    """The function."""

    def require_fit(self, observations: int, actions: int) -> None:
        """Accept every world: the function is a test's own."""

    def begin(self) -> None:
        """Begin an episode; a function has no memory."""

    def act(self, observations: Array) -> Array:
        """Return actions [n, m] in [-1, 1] for observations [n, k]."""
        return np.clip(np.asarray(self.function(observations), dtype=np.float64), -1.0, 1.0)


class World:
    """A task in one cousin; a context that frees the engine."""

    def __init__(self, cousin: CousinCase, card: PythonPolicyCard, *, engine: str, seed: int) -> None:
        self.cousin, self.card, self.engine = cousin, card, engine
        self._runner = EpisodeRunner(
            FunctionPolicy(card=card, function=np.zeros_like),
            source=cousin.pack,
            cousins=[cousin.index],
            engine=engine,
            seed=seed,
        )

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, trace)

    def run(
        self, policy: Actor | Callable[[Array], Any], *, start: int = 0, shake: int | None = None
    ) -> EpisodeOutcome:
        """Return the outcome of an episode of a policy, or of a function from observations [1, k] to actions [1, m].

        `shake` moves the objects by 1e-9 m at the start, drawn by that number.
        """
        actor: Any = policy if hasattr(policy, "act") else FunctionPolicy(card=self.card, function=policy)
        self._runner.use(actor)
        return self._runner.run(self.cousin.index, start, shake=shake)

    def properties(self) -> list[tuple[str, object]]:
        """Return what JUnit files say of the test."""
        return [("cousins.task", self.card.task), ("cousins.engine", f"{self.engine} {engine_version(self.engine)}")]


class TestSettings:
    """Pack, suite and policy of a session of tests."""

    __test__ = False

    def __init__(self, reference: str, suite: Suite | None) -> None:
        self.reference, self.suite = reference, suite

    @cached_property
    def pack(self) -> Pack:
        """The pack."""
        return open_pack(self.reference)

    @cached_property
    def policy(self) -> Actor:
        """The policy of the suite; raises `InputError` without one."""
        if self.suite is None:
            raise InputError(
                "the fixture `policy` without a suite",
                expected="a suite that names one",
                hint="Type `pytest --cousins-suite FILE`.",
            )
        return load_actor(resolved_policy(self.suite), self.suite.tasks[0])

    def cases(self, options: Mapping[str, Any]) -> list[CousinCase]:
        """Return the cousins that a marker selects, where it is silent the suite; raises `InputError`.

        Where a task is named, only cousins that afford it are counted.
        """
        unknown = sorted(set(options) - FILTER_OPTIONS - WORLD_OPTIONS)
        if unknown:
            raise InputError(
                f"@pytest.mark.cousins({unknown[0]}=…)",
                expected="one of " + ", ".join(sorted(FILTER_OPTIONS | WORLD_OPTIONS)),
                hint="Mend the marker.",
            )
        selected = {name: value for name, value in options.items() if name in FILTER_OPTIONS}
        base = self.suite.cousins if self.suite is not None else CousinFilter(split="train")
        if "split" in selected:
            base = replace(base, numbers=())
        cousins = replace(base, **selected)
        available = selection_of(Path(self.reference)) if Path(self.reference).is_dir() else None
        numbers = qualifying_cousins(cousins, self.pack, available)
        task = options.get("task", self.suite.tasks[0] if self.suite is not None else None)
        if task is None:
            numbers = spread(numbers, None if cousins.numbers else cousins.count)
        else:
            numbers = afforded_cousins(cousins, self.pack, build_task(task), options.get("body"), numbers)
        return [CousinCase(pack=self.pack, index=number, digest=cousin_digest(self.pack, number)) for number in numbers]

    def world(self, cousin: CousinCase, options: Mapping[str, Any]) -> World:
        """Return the world that a marker describes; raises `InputError`."""
        suite, settings = self.suite, {name: value for name, value in options.items() if name in WORLD_OPTIONS}
        engine = settings.pop("engine", suite.engines[0] if suite is not None else "mujoco")
        if suite is None or "task" in settings:
            card = PythonPolicyCard(**{"task": "push", **settings})
        else:
            declared = self.policy.card
            card = PythonPolicyCard(
                task=declared.task, body=declared.body, control=declared.control, control_hz=declared.control_hz
            )
        return World(cousin, card, engine=engine, seed=0 if suite is None else suite.seed)


def open_settings(*, pack: str | None, suite: str | None) -> TestSettings:
    """Return the settings of two options of the command line; raises `InputError` where both are missing."""
    described = None if suite is None else read_suite(Path(suite))
    if pack is None and described is None:
        raise InputError(
            "a test that takes a cousin, and no pack",
            expected="--cousins-pack or --cousins-suite",
            hint="Type `pytest --cousins-pack PACK`, or write `addopts` into your configuration.",
        )
    return TestSettings(pack or described.pack_reference, described)  # type: ignore[union-attr]


class Golden:
    """Numbers and states that were accepted for one test, in a file beside it."""

    def __init__(self, *, folder: Path, name: str, update: bool) -> None:
        safe = _SAFE.sub("_", name).strip("_")
        self.path = folder / f"{safe[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"
        self.update = update

    def check(self, run: Callable[[int | None], EpisodeOutcome]) -> EpisodeOutcome:
        """Compare what `run(shake)` returns with what was accepted, and return it; raises `AssertionError`.

        With the same engine, CPU, code and libraries every state must be equal, twice in a row; elsewhere the numbers
        must lie in bands that were learned from shaken runs. `pytest --cousins-update` runs it 22 times and writes the
        file. An episode that does not repeat itself is marked chaotic, and nothing is asserted.
        """
        if self.update:
            return self._accept(run)
        accepted = self._read()
        outcomes = [run(None), run(None)]
        _require_no_fault(outcomes)
        if accepted["chaotic"]:
            return outcomes[0]
        assert outcomes[0].states == outcomes[1].states, "two runs of the same start reach different states"
        if accepted["provenance"] == _provenance():
            same = outcomes[0].states == accepted["states"]
            assert same, f"other states than {os.fspath(self.path)!r}; if that is meant: pytest --cousins-update"
        problems = outside(read_bands(accepted["bands"]), outcomes[0].values)
        assert not problems, "; ".join(problems)
        return outcomes[0]

    def properties(self) -> list[tuple[str, object]]:
        """Return what JUnit files say of the test."""
        return [("cousins.golden", self.path.name)]

    def _accept(self, run: Callable[[int | None], EpisodeOutcome]) -> EpisodeOutcome:
        repeats = [run(None), run(None)]
        shaken = [run(number) for number in range(MIN_SHAKEN_RUNS)]
        _require_no_fault([*repeats, *shaken])
        content = {
            "format": GOLDEN_FORMAT,
            "provenance": _provenance(),
            "states": repeats[0].states,
            "chaotic": chaos(repeats, shaken),
            "bands": bands_record(learned_bands([outcome.values for outcome in shaken])),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
        return repeats[0]

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError as error:
            raise AssertionError(f"no golden {os.fspath(self.path)!r}: pytest --cousins-update writes it") from error
        if not isinstance(content, dict) or content.get("format") != GOLDEN_FORMAT:
            raise AssertionError(f"{os.fspath(self.path)!r} is no golden: restore it, or pytest --cousins-update")
        return content


def _require_no_fault(outcomes: Sequence[EpisodeOutcome]) -> None:
    """Raise `AssertionError` where an episode broke: a golden of a broken world would assert nothing."""
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    assert not faults, f"the episode ends in a fault: {faults[0]}"


def _provenance() -> dict[str, str]:
    return {
        "code": code_digest(),
        "cpu": cpu_digest(),
        "mujoco": engine_version("mujoco"),
        "pybullet": engine_version("pybullet"),
    }
