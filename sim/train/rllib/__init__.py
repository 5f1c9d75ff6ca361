"""Cousins for RLlib."""

from sim.train.rllib.registration import register

__all__ = ["register"]
