"""Families of assets: one file each."""
