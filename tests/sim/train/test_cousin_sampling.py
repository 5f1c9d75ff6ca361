"""Samplers of cousins: uniform, prioritised, the twin first."""

from __future__ import annotations

import json

import numpy as np

from sim.train.cousin_sampling import (
    PrioritisedSampler,
    TwinFirstSampler,
    UniformSampler,
    restore_sampler,
    sampler_state,
)

SOLVED, FAILED = {"success_at_end": 1.0, "length": 10.0}, {"success_at_end": 0.0, "length": 10.0}


def test_a_cousin_that_is_sometimes_solved_is_drawn_most() -> None:
    sampler = PrioritisedSampler([3, 5, 7])
    for number in range(60):
        sampler.record_episode(3, SOLVED)
        sampler.record_episode(5, SOLVED if number % 2 else FAILED)
        sampler.record_episode(7, FAILED)
    rng = np.random.default_rng(0)
    drawn = [sampler.sample(rng) for _ in range(600)]
    assert drawn.count(5) > 2.5 * max(drawn.count(3), drawn.count(7))
    assert min(drawn.count(3), drawn.count(7)) > 30


def test_a_cousin_that_was_not_shown_for_long_comes_up_again() -> None:
    sampler = PrioritisedSampler([0, 1])
    for _ in range(200):
        sampler.record_episode(0, SOLVED)
    assert sampler.probabilities()[1] > sampler.probabilities()[0]


def test_the_twin_comes_first_and_now_and_then_later() -> None:
    sampler, rng = (
        TwinFirstSampler(UniformSampler([1, 2]), twin=0, twin_steps=100, twin_share=0.1),
        np.random.default_rng(0),
    )
    assert {sampler.sample(rng) for _ in range(50)} == {0}
    for _ in range(10):
        sampler.record_episode(0, FAILED)
    drawn = [sampler.sample(rng) for _ in range(1000)]
    assert 60 < drawn.count(0) < 140
    assert abs(drawn.count(1) - drawn.count(2)) < 100


def test_what_a_sampler_remembers_goes_through_json() -> None:
    sampler = TwinFirstSampler(PrioritisedSampler([1, 2]), twin=0, twin_steps=5, twin_share=0.1)
    for index in (0, 1, 1, 2):
        sampler.record_episode(index, SOLVED)
    later = TwinFirstSampler(PrioritisedSampler([1, 2]), twin=0, twin_steps=5, twin_share=0.1)
    restore_sampler(later, json.loads(json.dumps(sampler_state(sampler))))
    np.testing.assert_array_equal(later.cousin_sampler.probabilities(), sampler.cousin_sampler.probabilities())  # type: ignore[attr-defined]
    assert later.steps_taken == sampler.steps_taken == 40
