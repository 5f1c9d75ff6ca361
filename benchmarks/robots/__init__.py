"""Benchmarks of cells: guard, watchdog, drivers; all against peers and simulations, never a robot."""
