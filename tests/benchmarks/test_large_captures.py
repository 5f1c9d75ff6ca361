"""The cost of a stage is that of its span of time, and growth by frame is a slope."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def large_captures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from robustness import large_captures

    return large_captures


def test_a_stage_costs_what_was_sampled_in_its_span(large_captures: ModuleType) -> None:
    samples = large_captures.ProcessSamples(
        times_s=[0.0, 1.0, 2.0, 3.0, 4.0],
        rss_bytes=[1_000_000, 9_000_000, 3_000_000, 5_000_000, 2_000_000],
        cpu_s=[0.0, 2.0, 4.0, 4.0, 5.0],
    )
    assert samples.cost(2.1, 3.5) == {"seconds": 1.4, "cpu_s": 0.5, "peak_mb": 5}
    assert samples.cost(0.0, 9.0) == {"seconds": 9.0, "cpu_s": 5.0, "peak_mb": 9}


def test_growth_by_frame_is_a_slope(large_captures: ModuleType) -> None:
    assert large_captures.slope([50, 100, 200], [600.0, 610.0, 630.0]) == pytest.approx(0.2)
    assert large_captures.slope([50], [600.0]) == 0.0


def test_memory_that_is_taken_is_measured(large_captures: ModuleType) -> None:
    with large_captures.watched_processes() as samples:
        block = b"x" * 200_000_000
        samples.look()
        del block
    assert max(samples.rss_bytes) - samples.rss_bytes[0] > 150_000_000
