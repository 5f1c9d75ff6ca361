"""Simulation of cousins: physics engines, tasks, Gymnasium environments, training, recording, validation."""

from importlib.util import find_spec

if find_spec("gymnasium") is not None:
    from sim.envs.registration import register_envs

    register_envs()
