"""The sequential paired test keeps its promise at any stopping time, and finds what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cousins.regress.exact_tests import clopper_pearson, holm, sign_test
from cousins.regress.sequential import PairedCounts, fewest_losses, log_evidence

ALPHA = 0.01


def alarm_share(*, drop: float, flips: float, pairs: int, runs: int, seed: int) -> float:
    """Return the share of runs with an alarm, where a share of outcomes is lost and others flip either way."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(runs):
        draw = rng.random(pairs)
        lost, gained = draw < drop + flips / 2, (draw >= drop + flips / 2) & (draw < drop + flips)
        counts = PairedCounts()
        for loss, gain in zip(lost.tolist(), gained.tolist(), strict=True):
            counts = counts.after(baseline=not gain, candidate=not loss)
        alarms += counts.is_alarm(ALPHA)
    return alarms / runs


def test_where_nothing_got_worse_the_alarms_stay_below_alpha() -> None:
    assert alarm_share(drop=0.0, flips=0.2, pairs=240, runs=1000, seed=1) <= ALPHA


def test_a_drop_of_twenty_points_is_found() -> None:
    assert alarm_share(drop=0.2, flips=0.05, pairs=120, runs=300, seed=2) >= 0.9


def test_the_evidence_is_a_fair_bet_against_no_change() -> None:
    """A likelihood ratio has the mean 1 under the null: summed over all outcomes of eight discordant pairs."""
    mean = sum(math.comb(8, losses) * math.exp(log_evidence(losses, 8 - losses)) for losses in range(9)) / 2**8
    assert mean == pytest.approx(1.0)


def test_an_alarm_stays_after_gains() -> None:
    counts = PairedCounts()
    for _ in range(fewest_losses(ALPHA)):
        counts = counts.after(baseline=True, candidate=False)
    assert counts.is_alarm(ALPHA)
    for _ in range(50):
        counts = counts.after(baseline=False, candidate=True)
    assert counts.is_alarm(ALPHA)


def test_the_fewest_losses_are_just_enough() -> None:
    needed = fewest_losses(ALPHA)
    assert log_evidence(needed, 0) >= math.log(100) > log_evidence(needed - 1, 0)
    assert needed == 9


def test_equal_outcomes_say_nothing() -> None:
    assert PairedCounts().after(baseline=True, candidate=True).after(baseline=False, candidate=False) == PairedCounts(
        pairs=2
    )


def test_the_sign_test_is_that_of_the_binomial_distribution() -> None:
    assert sign_test(5, 0) == pytest.approx(1 / 32)
    assert sign_test(3, 1) == pytest.approx(5 / 16)
    assert sign_test(0, 0) == 1.0


def test_holm_multiplies_by_the_tests_that_are_left_and_never_falls() -> None:
    assert holm({7: 0.01, 3: 0.04, 5: 0.03}) == pytest.approx({7: 0.03, 5: 0.06, 3: 0.06})


def test_the_exact_interval_is_that_of_the_tables() -> None:
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.30850), abs=1e-5)
    assert clopper_pearson(9, 10) == pytest.approx((0.55498, 0.99747), abs=1e-5)
    assert clopper_pearson(0, 0) == (0.0, 1.0)
