"""Rollouts on record: gathered in the worlds of a pack, written as data sets and films; every episode is counted."""

from sim.recording.gathering import Act, Plan, about_of, gather, plan_of
from sim.recording.rollouts import About, Rollout
from sim.recording.worlds import Setting, open_worlds
from sim.recording.writing import Writer, Written, require_new, write_rollouts, writer_of

__all__ = [
    "About",
    "Act",
    "Plan",
    "Rollout",
    "Setting",
    "Writer",
    "Written",
    "about_of",
    "gather",
    "open_worlds",
    "plan_of",
    "require_new",
    "write_rollouts",
    "writer_of",
]
