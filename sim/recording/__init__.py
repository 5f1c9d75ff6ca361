"""Recording of rollouts: collected in the cousins of a pack, written as data sets and films; every episode counts."""

from sim.recording.dataset_writer import RecordingCounts, RolloutWriter, make_writer, require_new_path, write_rollouts
from sim.recording.recording_envs import RecordingEnvConfig, make_recording_env
from sim.recording.rollout_collection import ActFunction, EpisodePlan, collect_rollouts, plan_episodes, run_metadata
from sim.recording.rollouts import Rollout, RunMetadata

__all__ = [
    "ActFunction",
    "EpisodePlan",
    "RecordingCounts",
    "RecordingEnvConfig",
    "Rollout",
    "RolloutWriter",
    "RunMetadata",
    "collect_rollouts",
    "make_recording_env",
    "make_writer",
    "plan_episodes",
    "require_new_path",
    "run_metadata",
    "write_rollouts",
]
