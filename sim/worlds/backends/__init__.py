"""Engines that step batches of worlds; each file is one."""
