"""Parametric families of assets, one file each."""
