"""Parametric assets as small programs, one file per family."""
