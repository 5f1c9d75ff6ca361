"""Test a policy in cousins: one episode of a task in each, in the worlds in which policies are trained and evaluated.

The fixture `world` of the pytest plugin is a task in one cousin; `run` returns how an episode of a policy ended. For a
verdict with a false-alarm rate, on many episodes and against accepted results, there is `cousins regress`:

    pytest examples/17_test_a_policy.py --cousins-pack PACK -n 2 --dist loadgroup

Run as a program, it makes a pack of the twin in `--out`, or takes the one in `--pack`, and starts pytest.
"""

import argparse
import tempfile
from pathlib import Path

import pytest

import cousins


@pytest.fixture(scope="module")
def pusher():
    """Load the policy of example 10, which is written by hand."""
    return cousins.load_policy(Path(__file__).with_name("10_your_policy.py"), task="push")


@pytest.mark.cousins(split="train", count=3, task="push")
def test_the_policy_makes_progress(world, pusher) -> None:
    outcome = world.run(pusher)
    assert not outcome.fault
    assert outcome.progress > 0.0


@pytest.mark.cousins(split="train", count=1, task="push")
def test_an_episode_repeats_itself(world, pusher) -> None:
    assert world.run(pusher, start=5).states == world.run(pusher, start=5).states


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        plugins = ["-p", "flows.pytest_plugin", "-p", "no:cacheprovider"]
        raise SystemExit(pytest.main([__file__, "--cousins-pack", str(pack), *plugins]))


if __name__ == "__main__":
    main()
