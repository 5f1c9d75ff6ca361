"""Batches of worlds for learning, one file per engine in `backends`."""

from sim.worlds.worlds import BODY, Slots, Source, State, Worlds, slots_of

__all__ = ["BODY", "Slots", "Source", "State", "Worlds", "slots_of"]
