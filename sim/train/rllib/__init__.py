"""Cousins for RLlib: environments by id, and training with rollouts from a Ray cluster."""

from sim.train.rllib.registration import register
from sim.train.rllib.training import train_on_ray

__all__ = ["register", "train_on_ray"]
