import pytest

from cousins import plugins
from cousins.errors import UnknownNameError


def test_a_misspelt_name_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownNameError, match=r"no segmenter named 'geometri'.*Did you mean 'geometric'"):
        plugins.load_backend("cousins.segment.backends", "geometri", kind="segmenter")


def test_a_path_is_no_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no segmenter named '\.\./errors'"):
        plugins.load_backend("cousins.segment.backends", "../errors", kind="segmenter")
