"""Who draws cousins: evenly, by what they teach, the twin first."""

from __future__ import annotations

import json

import numpy as np

from sim.train.cousin_sampling import Even, Prioritised, TwinFirst, put_sampler_state, sampler_state

SOLVED, FAILED = {"success_at_end": 1.0, "length": 10.0}, {"success_at_end": 0.0, "length": 10.0}


def test_a_cousin_that_is_sometimes_solved_is_drawn_most() -> None:
    sampler = Prioritised([3, 5, 7])
    for number in range(60):
        sampler.hear(3, SOLVED)
        sampler.hear(5, SOLVED if number % 2 else FAILED)
        sampler.hear(7, FAILED)
    rng = np.random.default_rng(0)
    drawn = [sampler.draw(rng) for _ in range(600)]
    assert drawn.count(5) > 2.5 * max(drawn.count(3), drawn.count(7))
    assert min(drawn.count(3), drawn.count(7)) > 30


def test_a_cousin_that_was_not_shown_for_long_comes_up_again() -> None:
    sampler = Prioritised([0, 1])
    for _ in range(200):
        sampler.hear(0, SOLVED)
    assert sampler.chances()[1] > sampler.chances()[0]


def test_the_twin_comes_first_and_now_and_then_later() -> None:
    sampler, rng = TwinFirst(Even([1, 2]), twin=0, steps=100, share=0.1), np.random.default_rng(0)
    assert {sampler.draw(rng) for _ in range(50)} == {0}
    for _ in range(10):
        sampler.hear(0, FAILED)
    drawn = [sampler.draw(rng) for _ in range(1000)]
    assert 60 < drawn.count(0) < 140
    assert abs(drawn.count(1) - drawn.count(2)) < 100


def test_what_a_sampler_remembers_goes_through_json() -> None:
    sampler = TwinFirst(Prioritised([1, 2]), twin=0, steps=5, share=0.1)
    for index in (0, 1, 1, 2):
        sampler.hear(index, SOLVED)
    later = TwinFirst(Prioritised([1, 2]), twin=0, steps=5, share=0.1)
    put_sampler_state(later, json.loads(json.dumps(sampler_state(sampler))))
    np.testing.assert_array_equal(later.then.chances(), sampler.then.chances())  # type: ignore[attr-defined]
    assert later.done == sampler.done == 40
