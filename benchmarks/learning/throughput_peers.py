"""Steps per second of other projects' tasks under random actions; runs in their environment, imports nothing of ours.

Prints one JSON object on the last line: environment steps by processor second of what is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from typing import Any

GYM = {
    "gymnasium_robotics": ("FetchPush-v4", "FetchPickAndPlace-v4"),
    "panda_gym": ("PandaPush-v3", "PandaPickAndPlace-v3"),
}
ROBOSUITE = ("Lift", "PickPlace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 steps of each task instead of 400")
    steps = 60 if parser.parse_args().quick else 400
    rates = {}
    for package, names in GYM.items():
        if importlib.util.find_spec(package):
            for name in names:
                rates[name] = rate(gymnasium_step(package, name), steps)
    if importlib.util.find_spec("robosuite"):
        for name in ROBOSUITE:
            rates[f"robosuite {name}"] = rate(robosuite_step(name), steps)
    print(json.dumps(rates))


def gymnasium_step(package: str, name: str) -> Callable[[], None]:
    import gymnasium

    module = importlib.import_module(package)
    if hasattr(gymnasium, "register_envs"):
        gymnasium.register_envs(module)
    env = gymnasium.make(name, max_episode_steps=100_000)
    env.reset(seed=0)
    env.action_space.seed(0)
    return lambda: env.step(env.action_space.sample())


def robosuite_step(name: str) -> Callable[[], None]:
    import numpy as np
    import robosuite

    env: Any = robosuite.make(
        name,
        robots="Panda",
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        control_freq=20,
        horizon=100_000,
    )
    env.reset()
    low, high = env.action_spec
    rng = np.random.default_rng(0)
    return lambda: env.step(rng.uniform(low, high))


def rate(step: Callable[[], None], steps: int) -> float:
    for _ in range(10):
        step()
    began = time.process_time()
    for _ in range(steps):
        step()
    return steps / (time.process_time() - began)


if __name__ == "__main__":
    main()
