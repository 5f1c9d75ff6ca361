"""Tasks in cousins, one file per task in `backends`."""

from sim.tasks.episode import Episode, Hinge, Part
from sim.tasks.episode_batch import Rows
from sim.tasks.task import PROFILES, Judged, Known, Refused, Task, build_task, task_names
from sim.tasks.task_view import View

__all__ = [
    "PROFILES",
    "Episode",
    "Hinge",
    "Judged",
    "Known",
    "Part",
    "Refused",
    "Rows",
    "Task",
    "View",
    "build_task",
    "task_names",
]
