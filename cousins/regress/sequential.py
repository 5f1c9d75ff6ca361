"""A sequential paired test: it may be looked at after every pair, and keeps its false-alarm rate at any stopping time.

Two runs of one episode are a pair. Only pairs with different outcomes count: a loss where the baseline succeeded and
the candidate failed, a gain the other way round. Where nothing got worse, a loss is at most as probable as a gain. The
evidence against that is a likelihood ratio, averaged over five alternatives; by Ville's inequality it reaches
1/alpha with probability alpha at most, however often it is looked at.

The promise needs pairs in random order: cousin by cousin, half of which gain and half of which lose, 45 % of the null
runs gave an alarm; in an order drawn by chance 0.4 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LOSS_PROBABILITIES: Final = (0.6, 0.7, 0.8, 0.9, 0.97)
"""Alternatives that the evidence is averaged over: probability that a discordant pair is a loss."""


def log_evidence(losses: int, gains: int) -> float:
    """Return the natural logarithm of the mixture likelihood ratio of some losses and gains."""
    terms = [losses * math.log(2.0 * p) + gains * math.log(2.0 * (1.0 - p)) for p in LOSS_PROBABILITIES]
    largest = max(terms)
    return largest + math.log(sum(math.exp(term - largest) for term in terms) / len(terms))


def fewest_losses(alpha: float) -> int:
    """Return how many losses without a gain give an alarm: with fewer successes to lose, a test can never fail."""
    losses = 0
    while log_evidence(losses, 0) < -math.log(alpha):
        losses += 1
    return losses


@dataclass(frozen=True, kw_only=True)
class PairedCounts:
    """State of the test after some pairs."""

    pairs: int = 0
    """Pairs that were compared."""
    losses: int = 0
    """Pairs in which only the baseline succeeded."""
    gains: int = 0
    """Pairs in which only the candidate succeeded."""
    largest_log_evidence: float = 0.0
    """Largest logarithm of the evidence after any pair so far."""

    def after(self, *, baseline: bool, candidate: bool) -> PairedCounts:
        """Return the state after one more pair of outcomes."""
        losses, gains = self.losses + (baseline and not candidate), self.gains + (candidate and not baseline)
        return PairedCounts(
            pairs=self.pairs + 1,
            losses=losses,
            gains=gains,
            largest_log_evidence=max(self.largest_log_evidence, log_evidence(losses, gains)),
        )

    def is_alarm(self, alpha: float) -> bool:
        """Return whether the evidence has ever reached 1/alpha."""
        return self.largest_log_evidence >= -math.log(alpha)
