"""Tasks in cousins, one file per task in `backends`."""

from sim.tasks.episode import Episode, EpisodeJoint, EpisodeObject
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.task import PROFILES, Refused, StepOutcome, Task, TaskContext, build_task, task_names
from sim.tasks.task_view import TaskView

__all__ = [
    "PROFILES",
    "Episode",
    "EpisodeBatch",
    "EpisodeJoint",
    "EpisodeObject",
    "Refused",
    "StepOutcome",
    "Task",
    "TaskContext",
    "TaskView",
    "build_task",
    "task_names",
]
