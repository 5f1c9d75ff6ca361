"""Rollouts on record: gathered in the worlds of a pack, written as data sets and films; every episode is counted."""

from sim.recording.dataset_writer import Writer, Written, require_new, write_rollouts, writer_of
from sim.recording.recording_envs import Setting, open_worlds
from sim.recording.rollout_collection import Act, Plan, about_of, gather, plan_of
from sim.recording.rollouts import About, Rollout

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
