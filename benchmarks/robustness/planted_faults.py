"""Plant twenty-two faults, one at a time, into a copy of the sources and count those that a test catches.

Each fault is one edit of one file, of a kind that changes results without an error: a comparison left out, a sign, a
threshold. Its covering tests run in the copy; they must pass without the fault, and it is caught where one of them
fails with it. A fault whose text is no longer in the file is an error, so that the list follows the code.

    python benchmarks/robustness/planted_faults.py [--quick] [--only WORDS] [--json]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from program import program_parser, run_program
from rows import Row, count_of, is_complete

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("cousins", "sim", "flows", "tests", "benchmarks", "assets", "supply_chain", "requirements")
"""Folders that tests read."""
TESTS_FAILED, TESTS_PASSED = 1, 0
"""Exit codes of pytest."""
QUICK_FAULTS = 4
ROWS = (
    Row(
        quantity="planted faults that a test catches",
        bar="22 of 22",
        value=count_of("caught", "faults"),
        met=is_complete,
    ),
    Row(quantity="faults that no test catches", value=lambda result: ", ".join(result["survivors"]) or "none"),
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One edit that makes the program wrong."""

    name: str
    """What is wrong then."""
    path: str
    """File, relative to the project."""
    old: str
    """Text that stands there once."""
    new: str
    """Text that replaces it."""
    tests: tuple[str, ...]
    """Tests that cover it, as pytest takes them."""
    keyword: str = ""
    """Expression of `pytest -k` that selects among them."""

    def apply(self, text: str) -> str:
        """Return the faulty text; raises `ValueError` where the text to replace does not stand there once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.path} holds {text.count(self.old)} times what it replaces, not once")
        return text.replace(self.old, self.new)


FAULTS = (
    Fault(
        name="a pull does not compare the SHA-256 of blobs",
        path="cousins/pack/transfer/cache.py",
        old="            if digest != blob.digest:\n                file.truncate(0)",
        new="            if False:\n                file.truncate(0)",
        tests=("tests/cousins/pack/test_registry.py",),
        keyword="same_length",
    ),
    Fault(
        name="success counts in the first step in which it holds",
        path="sim/envs/episodes.py",
        old="self.hold_steps = max(1, round(config.hold_s / self.step_s))",
        new="self.hold_steps = 1",
        tests=("tests/sim/envs/test_env.py",),
        keyword="less_than_a_second or too_soon",
    ),
    Fault(
        name="all starts are identical",
        path="sim/envs/episodes.py",
        old="start: EpisodeStart = sample_start(episode, rng)",
        new="start: EpisodeStart = sample_start(episode, np.random.default_rng(0))",
        tests=("tests/sim/envs/test_env.py",),
        keyword="starts_differ",
    ),
    Fault(
        name="orientations are observed without noise",
        path="sim/envs/robot_imperfections.py",
        old="quat_wxyz=_rotate_quaternions(state.quat_wxyz, angle_std_rad[:, None, None] * rotation_noise)",
        new="quat_wxyz=state.quat_wxyz",
        tests=("tests/sim/envs/test_robot_imperfections.py",),
    ),
    Fault(
        name="starts of the noisy twin are not wider",
        path="sim/train/training_envs.py",
        old="task_options |= {name: value for name, value in start_noise.items() if name in option_names}",
        new="assert start_noise and option_names",
        tests=("tests/sim/train/test_noisy_twin.py",),
        keyword="wider_range",
    ),
    Fault(
        name="families are never held out",
        path="cousins/vary/library/variants.py",
        old="                held_out_keys |= members\n",
        new="",
        tests=("tests/cousins/vary/test_held_out.py",),
    ),
    Fault(
        name="the nearest shapes are held out instead of the farthest",
        path="cousins/vary/library/variants.py",
        old="key=lambda variant: (-variant.shape_distance, variant.key)",
        new="key=lambda variant: (variant.shape_distance, variant.key)",
        tests=("tests/cousins/vary/test_held_out.py",),
    ),
    Fault(
        name="turns do not count in the distance of a layout",
        path="cousins/vary/distance.py",
        old=" + 0.5 * turn / math.pi",
        new="",
        tests=("tests/cousins/vary/test_distance.py",),
    ),
    Fault(
        name="a drawer that slides counts as closed",
        path="sim/tasks/backends/close_drawer.py",
        old="(out <= config.share) & joint_at_rest(view) & is_standing",
        new="(out <= config.share) & is_standing",
        tests=("tests/sim/tasks/test_judging.py",),
        keyword="still_slides or drawer_is_closed",
    ),
    Fault(
        name="the way up ignores how level cameras were held",
        path="cousins/capture/gravity.py",
        old="    return np.maximum(upright, np.maximum(0.0, 1.0 - 4.0 * along))",
        new="    return np.ones_like(np.maximum(upright, along))",
        tests=("tests/cousins/capture/test_gravity.py",),
        keyword="up or level",
    ),
    Fault(
        name="a manifest's SHA-256 is not compared",
        path="cousins/pack/transfer/cache.py",
        old='            raise _wrong_bytes(f"the manifest {digest[:12]}", self.store)',
        new="            pass",
        tests=("tests/cousins/pack/test_registry.py",),
        keyword="store_that_lies",
    ),
    Fault(
        name="verification accepts other bytes of the same length",
        path="cousins/pack/verification.py",
        old='return "" if total.hexdigest() == blob.digest else "other bytes than its name says"',
        new='return "" if total.hexdigest() else "other bytes than its name says"',
        tests=("tests/cousins/pack/test_registry.py",),
        keyword="every_flipped_bit",
    ),
    Fault(
        name="train shows held-out shapes",
        path="cousins/vary/cousin_sampler.py",
        old=" and variant.held_out == held_out",
        new="",
        tests=("tests/cousins/vary/test_cousin_sampler.py",),
        keyword="heldout_far_shows",
    ),
    Fault(
        name="a fault of the simulation passes a regression suite",
        path="cousins/regress/verdicts.py",
        old="if outcome is not None and outcome.fault and not (baseline and baseline.outcomes[pair].fault):",
        new="if outcome is not None and outcome.fault and baseline and baseline.outcomes[pair].fault:",
        tests=("tests/cousins/regress/test_verdicts.py",),
    ),
    Fault(
        name="gains count as losses in the paired test",
        path="cousins/regress/sequential.py",
        old="losses, gains = self.losses + (baseline and not candidate), self.gains + (candidate and not baseline)",
        new="losses, gains = self.losses + (baseline != candidate), self.gains",
        tests=("tests/cousins/regress/test_verdicts.py",),
    ),
    Fault(
        name="an inconclusive suite ends with exit code 0",
        path="cousins/regress/verdicts.py",
        old='return 0 if states == {"pass"} else INCONCLUSIVE_CODE',
        new="return 0",
        tests=("tests/cousins/regress/test_verdicts.py",),
    ),
    Fault(
        name="the interval of a share is that of 68 %",
        path="sim/train/proportions.py",
        old="    p, spread = k / n, Z_95 * Z_95 / n\n",
        new="    p, spread = k / n, 1.0 / n\n",
        tests=("tests/sim/train/test_proportions.py",),
    ),
    Fault(
        name="an overlap at the start passes the gates",
        path="sim/validation/gates.py",
        old='("penetration", stability.depth_m * 1e3,',
        new='("penetration", 0.0 * stability.depth_m,',
        tests=("tests/sim/validation/test_gates.py",),
        keyword="overlap or sound_scene",
    ),
    Fault(
        name="a robot may leave the range of its joints",
        path="sim/cells/guard.py",
        old="    dq, more = _within_limits(wish, start, _last_speed(limits, state, now_ns), step_s, limits)",
        new="    dq, more = wish, ()",
        tests=("tests/sim/cells/test_guard.py",),
    ),
    Fault(
        name="a link out of an export is followed",
        path="cousins/capture/decoders/archives.py",
        old="        if not path.is_relative_to(self._root):",
        new="        if False:",
        tests=("tests/cousins/capture/test_archives.py",),
    ),
    Fault(
        name="a heavier link keeps its inertia",
        path="cousins/vary/cousins.py",
        old="inertia_kg_m2=link.inertia_kg_m2 * (mass_kg / link.mass_kg.value)",
        new="inertia_kg_m2=link.inertia_kg_m2",
        tests=("tests/sim/validation/test_slot_model.py",),
        keyword="masses_inertias",
    ),
    Fault(
        name="no cousins are held out near",
        path="sim/validation/candidate_blocks.py",
        old='        return "heldout_near"',
        new='        return "train"',
        tests=("tests/sim/validation/test_candidate_blocks.py",),
        keyword="splits_take",
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick=f"the first {QUICK_FAULTS} faults")
    parser.add_argument("--only", default="", metavar="WORDS", help="the faults whose names hold these words")
    run_program(parser, measure, show=show)


def measure(arguments: Namespace) -> dict[str, Any]:
    faults = [fault for fault in FAULTS if arguments.only in fault.name]
    faults = faults[:QUICK_FAULTS] if arguments.quick else faults
    for fault in faults:
        fault.apply((ROOT / fault.path).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="cousins-faults-") as folder:
        copy = Path(folder, "project")
        copy_project(copy)
        require_passing(copy, faults)
        caught = {}
        for fault in faults:
            with planted(copy, fault):
                caught[fault.name] = run_tests(copy, fault) == TESTS_FAILED
            print(f"{'caught' if caught[fault.name] else 'MISSED'}: {fault.name}", file=sys.stderr)
    survivors = [name for name, is_caught in caught.items() if not is_caught]
    return {"faults": len(faults), "caught": len(faults) - len(survivors), "survivors": survivors}


def copy_project(copy: Path) -> None:
    """Copy what tests read into an empty folder."""
    copy.mkdir()
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copyfile(path, copy / path.name)


def require_passing(copy: Path, faults: list[Fault]) -> None:
    """Raise `RuntimeError` where a covering test fails without any fault: it would catch everything."""
    for tests, keyword in sorted({(fault.tests, fault.keyword) for fault in faults}):
        code = pytest_code(copy, tests, keyword)
        if code != TESTS_PASSED:
            raise RuntimeError(f"{' '.join(tests)} ends with {code} without a fault; mend that first")


@contextmanager
def planted(copy: Path, fault: Fault) -> Iterator[None]:
    """Hold a fault in the copy of the project."""
    path = copy / fault.path
    sound = path.read_text(encoding="utf-8")
    path.write_text(fault.apply(sound), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(sound, encoding="utf-8")


def run_tests(copy: Path, fault: Fault) -> int:
    """Return pytest's exit code with a fault; raises `RuntimeError` where no test ran."""
    code = pytest_code(copy, fault.tests, fault.keyword)
    if code not in (TESTS_FAILED, TESTS_PASSED):
        raise RuntimeError(f"{fault.name}: pytest ended with {code}, so nothing is known; is the fault valid Python?")
    return code


def pytest_code(copy: Path, tests: tuple[str, ...], keyword: str) -> int:
    """Run tests of the copy until one fails, and return pytest's exit code."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    words += ["-k", keyword] if keyword else []
    return subprocess.run(words, cwd=copy, env=environment, stdout=subprocess.DEVNULL, check=False).returncode


def show(result: dict[str, Any]) -> None:
    for name in result["survivors"]:
        print(f"no test catches: {name}")
    print(f"caught {result['caught']} of {result['faults']}")


if __name__ == "__main__":
    main()
