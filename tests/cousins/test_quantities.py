import pytest

from cousins.quantities import Quantity


def test_a_value_outside_its_interval_is_refused() -> None:
    with pytest.raises(ValueError, match=r"interval \[1.0, 2.0\] does not hold 3.0"):
        Quantity(value=3.0, low=1.0, high=2.0, source="default")


def test_scaling_keeps_the_source() -> None:
    assert Quantity(value=2.0, low=1.0, high=4.0, source="measured").scaled(0.5) == Quantity(
        value=1.0, low=0.5, high=2.0, source="measured"
    )
