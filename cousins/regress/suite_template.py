"""The commented suite file that `cousins regress init` writes."""

from __future__ import annotations

import json
from typing import Final

from cousins.regress.suites import GATE_NAMES
from cousins.vary.cousins import AXES, SPLITS

TEMPLATE: Final = """\
# A regression suite. `cousins regress run {file}` compares it with the accepted results in {stem}.baseline.json, which
# `cousins regress accept {file}` writes; commit both. Exit codes: 0 pass; 1 regressed, fault or flaky; 2 bad input;
# 125 inconclusive or vacuous.

format = 1
name = {name}

# Pack folder relative to this file, NAME:TAG@STORE or sha256:DIGEST@STORE.
pack = {pack}

# Each task in each engine is one test.
tasks = [{task}]
engines = ["mujoco"]

# Episodes of each test, spread over its cousins. In an order drawn by the seed, a drop by 20 points is found within 120
# of them in 96 of 100 runs, by 10 points within 240 in 88 (where 5 % of the outcomes flip otherwise).
episodes = 240

# CPU time after which no episode is begun any more [s]; the verdict is then inconclusive, and the same command goes on
# from there. Some 0.2 s an episode.
budget_cpu_s = 600.0

# Probability that the suite as a whole reports a regression where nothing got worse; shared among its tests.
alpha = 0.01

# Root of all randomness.
seed = 0

[policy]
# Policy folder, FILE.py or FILE.py:FUNCTION, relative to this file.
path = {policy}
# For a Python file: the environment that it was written for.
# body = "pusher"
# control = "ee_delta"
# control_hz = 20.0

[cousins]
# One of {splits}.
split = "train"
# Most cousins, spread evenly over those that qualify; 0 for all. A statement about "cousins like these" needs 60.
count = 12
# Instead of a split:
# numbers = [17, 23]

# [cousins.axes]
# Only cousins whose distance to the twin lies in an interval. Axes: {axes}.
# layout = [0.0, 0.6]

[golden]
# Episodes of each test that are run twice in fresh processes and compared state by state.
count = 4
# Runs with starts moved by 1e-9 m from which bands are learned.
shaken_runs = 20

[gates]
# Largest values that pass: {gates}.
max_penetration_mm = 1.0
max_drift_mm = 5.0

# What does not decide the exit code until a day; with `cousin = 17` only that cousin is left out.
# [[quarantine]]
# test = {test}
# until = 2027-01-31
# issue = "https://example.org/issues/1"
"""
"""Text of the file; `format` fills it in."""


def suite_template(*, file: str, pack: str, policy: str, task: str, name: str) -> str:
    """Return the text of a suite file named `file`, with every key explained."""
    return TEMPLATE.format(
        file=file,
        stem=file.removesuffix(".toml"),
        name=json.dumps(name),
        pack=json.dumps(pack),
        policy=json.dumps(policy),
        task=json.dumps(task),
        test=json.dumps(f"{task}-mujoco"),
        splits=", ".join(SPLITS),
        axes=", ".join(AXES),
        gates=", ".join(GATE_NAMES),
    )
