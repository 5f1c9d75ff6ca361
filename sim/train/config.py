"""What is learned, where and how."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from cousins.errors import InputError

FLOOR: Final = 1e-3
"""Added to the variance of each observation: 3 cm, or 0.03 rad."""
Algorithm = Literal["ppo", "sac"]
ALGORITHMS: Final = ("ppo", "sac")
Worlds = Literal["twin", "noise", "cousins"]
WORLDS: Final = ("twin", "noise", "cousins")
RobotKind = Literal["exact", "varied"]
ROBOTS: Final = ("exact", "varied")
Replay = Literal["uniform", "prioritised"]
REPLAYS: Final = ("uniform", "prioritised")


GRASPING: Final = ("lift", "place", "stack", "clear_table", "open_door")
"""Tasks whose fingers must stay closed while they are lifted, or while they pull."""
GRASP_STEPS: Final = 8
"""For so many steps exploration goes the same way in those tasks."""
QUIETING: Final = (0.6, 0.9)
"""From this to that share of the steps exploration is bounded more and more, where it is to end small."""


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How an algorithm learns."""

    algorithm: Algorithm = "ppo"
    """ppo or sac."""
    network: tuple[int, ...] = (64, 64)
    """Units of the hidden layers, of actor and critic alike."""
    learning_rate: float = 5e-4
    """Of Adam."""
    discount: float = 0.97
    """Of a reward one step later."""
    batch: int = 512
    """Most transitions in a gradient step."""
    rollout: int = 64
    """PPO: steps of each row between updates."""
    epochs: int = 10
    """PPO: passes over what was seen."""
    log_deviation: float = -0.3
    """PPO: logarithm of the actions' deviation at the start."""
    last_log_deviation: float | None = None
    """PPO: most that the logarithm of the deviation may be at the end; the bound comes down to it over the share
    `QUIETING` of the steps. None for no bound; there is none on Ray whatever is told here."""
    explore_steps: int = 0
    """PPO: steps for which exploration goes the same way, as a function of what is seen (gSDE); 0 draws every step,
    and so does the learner on Ray whatever is told here."""
    most_divergence: float | None = 0.03
    """PPO: an update ends early once the policy has moved from what it was by half as much again (Kullback-Leibler
    divergence in nats); None for never, and so does the learner on Ray whatever is told here."""
    entropy: float = 0.002
    """PPO: weight of the entropy."""
    warm_up: int = 2000
    """SAC: random steps before it learns."""
    buffer: int = 300_000
    """SAC: most transitions that are kept."""
    every: int = 4
    """SAC: steps of each row between updates."""
    gradient_steps: int = 16
    """SAC: gradient steps of an update."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is learned, and where."""

    task: str = "push"
    """Name of the task."""
    steps: int = 400_000
    """Environment steps."""
    seed: int = 0
    """Root of all randomness."""
    worlds: Worlds = "cousins"
    """The twin alone; the twin with ordinary noise; or cousins of the train split."""
    cousins: tuple[int, ...] | None = None
    """Numbers of the cousins, the twin not among them; None for the train split."""
    first: int | None = None
    """Only so many of them; None for all."""
    twin_share: float = 0.1
    """Share of the steps that the twin alone is shown, first; at 0 it is not shown at all, and need not be of use."""
    twin_after: float = 0.1
    """Share of the later episodes that show the twin still."""
    replay: Replay = "uniform"
    """How cousins are drawn."""
    robot: RobotKind | None = None
    """Whether the robot does as it is told and sees what is there, or each episode has one with a gain, latency and
    noise of its own (`RobotRanges`); None for varied, but exact in the twin alone."""
    robot_after: float = 0.6
    """Share of the steps after which robots vary; half of the episodes after it still have a perfect one. On Ray, whose
    workers are not told how far a training is, they vary from the start."""
    rows: int = 32
    """Worlds side by side."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control: str = "ee_delta"
    """Name of the control."""
    control_hz: float = 20.0
    """Actions a second."""
    engine: str = "mujoco"
    """Name of the engine."""
    timestep_s: float | None = None
    """Step of the engine [s]; None for its own."""
    horizon_s: float | None = None
    """Duration of an episode in training [s]; None for the task's. What comes later is bootstrapped, not cut off."""
    learning: Learning = field(default_factory=Learning)
    """How."""


def learning_of(algorithm: str, task: str = "push") -> Learning:
    """Return how an algorithm learns a task; raises `InputError` for an unknown algorithm.

    Where a hand grasps, PPO explores the same way for `GRASP_STEPS` steps: fingers whose opening is drawn anew every
    step let go again before the object has left the ground. It explores less there, less still towards the end, and is
    paid nothing for exploring: what hangs in a hand must come to rest.
    """
    if algorithm == "ppo" and task in GRASPING:
        return Learning(explore_steps=GRASP_STEPS, log_deviation=-0.7, last_log_deviation=-2.0, entropy=0.0)
    if algorithm == "ppo":
        return Learning()
    if algorithm == "sac":
        return replace(Learning(), algorithm="sac", learning_rate=1e-3, batch=256)
    raise InputError(f"algorithm {algorithm!r}", expected="one of " + ", ".join(ALGORITHMS), hint="Type one of them.")
