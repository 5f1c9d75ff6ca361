"""Cousins for RLlib: environments by their ids, and a training whose rollouts a Ray cluster collects."""

from sim.train.rllib.registration import register
from sim.train.rllib.training import train_on_ray

__all__ = ["register", "train_on_ray"]
