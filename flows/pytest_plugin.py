"""The pytest plugin: test functions that take cousins of a pack, worlds of a task, a policy, and goldens.

    @pytest.mark.cousins(split="train", count=4, task="push")
    def test_my_controller(world):
        assert world.run(act).success

It is loaded in every run of pytest where Cousins is installed, so it imports the standard library alone until a test
asks for one of its fixtures.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sim.regress.plugin_fixtures import CousinCase, Golden, TestSettings, World

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_FACTORS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_SETTINGS = pytest.StashKey[Any]()
_BUDGET = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, which all begin with `--cousins-`."""
    group = parser.getgroup("cousins", "digital cousins")
    group.addoption("--cousins-pack", metavar="PACK", help="pack folder, NAME:TAG@STORE or sha256:DIGEST@STORE")
    group.addoption("--cousins-suite", metavar="FILE", help="suite file that names pack, policy, cousins and task")
    group.addoption("--cousins-budget", metavar="S", help="CPU time, such as 300s, after which such tests are skipped")
    group.addoption("--cousins-update", action="store_true", help="write the goldens anew")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers and read the budget."""
    config.addinivalue_line(
        "markers",
        "cousins(split=, count=, axes=, numbers=, task=, engine=, body=, control=, control_hz=): cousins to test in",
    )
    config.addinivalue_line("markers", "golden: compares states or numbers with accepted ones")
    text = config.getoption("--cousins-budget")
    if text is not None:
        match = _SECONDS.fullmatch(text)
        if match is None:
            raise pytest.UsageError(f"--cousins-budget {text}: expected seconds, such as 300s, or 5m")
        workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
        config.stash[_BUDGET] = float(match[1]) * _FACTORS[match[2]] / workers


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise what asks for `cousin`, itself or through `world`, in the same order in every worker.

    Without marker, pack and suite nothing is done: a fixture of that name may be another project's.
    """
    if "cousin" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("cousins")
    options = metafunc.config.option
    if marker is None and options.cousins_pack is None and options.cousins_suite is None:
        return
    settings = _settings(metafunc.config)
    with _as_usage_error():
        cases = settings.cases({} if marker is None else dict(marker.kwargs))
    has_xdist = metafunc.config.pluginmanager.hasplugin("xdist")
    metafunc.parametrize(
        "cousin",
        [
            pytest.param(case, id=case.id, marks=[pytest.mark.xdist_group(case.group)] if has_xdist else [])
            for case in cases
        ],
        indirect=True,
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a cousin once the budget is spent."""
    budget_s = item.config.stash.get(_BUDGET, None)
    is_ours = "cousin" in getattr(item, "fixturenames", ())
    if budget_s is not None and is_ours and time.process_time() > budget_s:
        pytest.skip(f"the budget of {budget_s:.0f} s of CPU time is spent: nothing is concluded")


@pytest.fixture(scope="session")
def pack(request: pytest.FixtureRequest) -> Any:
    """Open the pack of `--cousins-pack`, or of the suite, and verify its manifest."""
    with _as_usage_error():
        return _settings(request.config).pack


@pytest.fixture
def cousin(request: pytest.FixtureRequest) -> CousinCase:
    """Give a cousin of the pack; the test runs once for each that the marker or the suite selects."""
    if not hasattr(request, "param"):
        _settings(request.config)
    case: CousinCase = request.param
    request.node.user_properties += case.properties()
    return case


@pytest.fixture
def world(request: pytest.FixtureRequest, cousin: CousinCase) -> Iterator[World]:
    """Give a world of a task in the cousin, closed after the test."""
    marker = request.node.get_closest_marker("cousins")
    with _as_usage_error():
        opened = _settings(request.config).world(cousin, {} if marker is None else dict(marker.kwargs))
    request.node.user_properties += opened.properties()
    with opened:
        yield opened


@pytest.fixture(scope="session")
def policy(request: pytest.FixtureRequest) -> Any:
    """Give the policy of the suite."""
    with _as_usage_error():
        return _settings(request.config).policy


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Numbers and states that were accepted for this test, in `goldens/` beside it."""
    from sim.regress.plugin_fixtures import Golden

    node: pytest.Item = request.node
    relative = node.nodeid.partition("::")[2]
    opened = Golden(folder=node.path.parent / "goldens", name=f"{node.path.stem}.{relative}",
                    update=request.config.getoption("--cousins-update"))  # fmt: skip
    node.user_properties += opened.properties()
    return opened


class _as_usage_error:  # noqa: N801 reads as a function
    """Turn bad input into pytest's error of usage: found, expected, hint."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None:
            return
        from cousins.errors import InputError

        if isinstance(error, InputError):
            raise pytest.UsageError(str(error)) from error


def _settings(config: pytest.Config) -> TestSettings:
    """Return pack, suite and policy of the session, opened when a test first asks for them."""
    if _SETTINGS not in config.stash:
        from sim.regress.plugin_fixtures import open_settings

        with _as_usage_error():
            config.stash[_SETTINGS] = open_settings(
                pack=config.getoption("--cousins-pack"), suite=config.getoption("--cousins-suite")
            )
    settings: TestSettings = config.stash[_SETTINGS]
    return settings
