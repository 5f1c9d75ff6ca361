"""Everything that steps, simulated or real: engines, gates and the simulated phone."""

from importlib.util import find_spec

if find_spec("gymnasium") is not None:
    from sim.envs.registration import register_envs

    register_envs()
