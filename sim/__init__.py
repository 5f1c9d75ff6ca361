"""Everything that steps, simulated or real: engines, gates and the simulated phone."""
