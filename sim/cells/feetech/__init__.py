"""Feetech's serial bus: packets, registers, calibration, and a peer that speaks the bytes."""
