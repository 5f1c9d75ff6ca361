"""Environments: cousins with a task and a robot, stepped as Gymnasium expects."""
