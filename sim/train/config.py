"""Configuration of a training: task, worlds, algorithm and hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from cousins.errors import InputError

VARIANCE_FLOOR: Final = 1e-3
"""Added to the variance of each observation before normalisation: the square of 3 cm, or of 0.03 rad."""
Algorithm = Literal["ppo", "sac"]
ALGORITHMS: Final = ("ppo", "sac")
TrainingWorlds = Literal["twin", "noise", "cousins"]
TRAINING_WORLDS: Final = ("twin", "noise", "cousins")
RobotKind = Literal["exact", "varied"]
ROBOT_KINDS: Final = ("exact", "varied")
Replay = Literal["uniform", "prioritised"]
REPLAYS: Final = ("uniform", "prioritised")
GRASPING_TASKS: Final = ("lift", "place", "stack", "clear_table", "open_door")
"""Tasks in which the fingers must stay closed while they lift or pull."""
GRASP_EXPLORE_STEPS: Final = 8
"""Steps for which exploration noise is held in the tasks of `GRASPING_TASKS`."""
EXPLORATION_DECAY: Final = (0.6, 0.9)
"""Shares of the steps between which the bound on exploration decreases, where `last_log_deviation` is set."""


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """Algorithm and hyperparameters."""

    algorithm: Algorithm = "ppo"
    """`ppo` or `sac`."""
    network: tuple[int, ...] = (64, 64)
    """Units of the hidden layers, of actor and critic alike."""
    learning_rate: float = 5e-4
    """Learning rate of Adam."""
    discount: float = 0.97
    """Discount factor per step."""
    batch: int = 512
    """Largest number of transitions in a gradient step."""
    rollout: int = 64
    """PPO: steps of each row between updates."""
    epochs: int = 10
    """PPO: passes over the collected transitions."""
    log_deviation: float = -0.3
    """PPO: initial logarithm of the standard deviation of actions."""
    last_log_deviation: float | None = None
    """PPO: upper bound of that logarithm at the end of training; the bound decreases to it over the share
    `EXPLORATION_DECAY` of the steps. None for no bound. Ignored on Ray."""
    explore_steps: int = 0
    """PPO: steps for which exploration noise, a function of the observations, is held (gSDE); 0 samples independent
    noise in every step. Ignored on Ray, which samples in every step."""
    most_divergence: float | None = 0.03
    """PPO: an update ends early once the Kullback-Leibler divergence from the previous policy exceeds 1.5 times this
    value [nat]; None for never. Ignored on Ray."""
    entropy: float = 0.002
    """PPO: weight of the entropy bonus."""
    warm_up: int = 2000
    """SAC: steps of random actions before learning begins."""
    buffer: int = 300_000
    """SAC: capacity of the replay buffer, in transitions."""
    every: int = 4
    """SAC: steps of each row between updates."""
    gradient_steps: int = 16
    """SAC: gradient steps per update."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What is learned, in which worlds, and how."""

    task: str = "push"
    """Name of the task."""
    steps: int = 400_000
    """Environment steps."""
    seed: int = 0
    """Seed of all random numbers."""
    worlds: TrainingWorlds = "cousins"
    """`twin`: the twin alone; `noise`: the twin with randomised physics; `cousins`: cousins of the train split."""
    cousins: tuple[int, ...] | None = None
    """Numbers of the cousins, without the twin; None for the train split."""
    first: int | None = None
    """Use only this many of them, the first; None for all."""
    twin_share: float = 0.1
    """Share of the steps at the start in which only the twin is shown; at 0 the twin is never shown."""
    twin_after: float = 0.1
    """Share of the later episodes that show the twin."""
    replay: Replay = "uniform"
    """How cousins are sampled: uniformly, or by how much they teach (`PrioritisedSampler`)."""
    robot: RobotKind | None = None
    """`exact`: a perfect robot; `varied`: each episode samples gain, latency and noise from `RobotImperfectionRanges`.
    None for varied, but exact in the twin alone."""
    robot_after: float = 0.6
    """Share of the steps after which robots vary; half of the later episodes still have a perfect one. On Ray, whose
    workers do not know the number of steps, robots vary from the start."""
    rows: int = 32
    """Number of worlds that are stepped in parallel."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control: str = "ee_delta"
    """Name of the control."""
    control_hz: float = 20.0
    """Actions per second [Hz]."""
    engine: str = "mujoco"
    """Name of the engine."""
    timestep_s: float | None = None
    """Time step of the engine [s]; None for its default."""
    horizon_s: float | None = None
    """Duration of an episode in training [s]; None for the task's. The value of the last state is bootstrapped."""
    learning: LearningConfig = field(default_factory=LearningConfig)
    """Algorithm and hyperparameters."""


def default_learning(algorithm: str, task: str = "push") -> LearningConfig:
    """Return the default hyperparameters of an algorithm for a task; raises `InputError` for an unknown algorithm.

    In grasping tasks PPO holds its exploration noise for `GRASP_EXPLORE_STEPS` steps: fingers whose command is sampled
    independently in every step release the object before it leaves the ground. Exploration is smaller there, decreases
    towards the end, and has no entropy bonus, because a held object must come to rest.
    """
    if algorithm == "ppo" and task in GRASPING_TASKS:
        return LearningConfig(
            explore_steps=GRASP_EXPLORE_STEPS, log_deviation=-0.7, last_log_deviation=-2.0, entropy=0.0
        )
    if algorithm == "ppo":
        return LearningConfig()
    if algorithm == "sac":
        return replace(LearningConfig(), algorithm="sac", learning_rate=1e-3, batch=256)
    raise InputError(f"algorithm {algorithm!r}", expected="one of " + ", ".join(ALGORITHMS), hint="Type one of them.")
