"""Simulated scenes in eight kinds with full truth, and what a twin makes of them."""
