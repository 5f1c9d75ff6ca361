"""Cells: robots behind one protocol, simulated, peers or hardware; the guard and the watchdog before each of them."""
