"""Batches of simulated worlds for learning; each file in `backends` is one engine."""

from sim.worlds.worlds import ROBOT_NAME, CousinSource, Slots, State, Worlds, slots_of

__all__ = ["ROBOT_NAME", "CousinSource", "Slots", "State", "Worlds", "slots_of"]
