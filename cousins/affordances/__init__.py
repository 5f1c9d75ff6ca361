"""Affordances of an asset, measured on its geometry: grasps, cavities, support surfaces and joints."""

from cousins.affordances.comparison import missing_affordances
from cousins.affordances.measure import measure_affordances
from cousins.affordances.signatures import Cavity, Grasp, JointAffordance, Signature, Support

__all__ = ["Cavity", "Grasp", "JointAffordance", "Signature", "Support", "measure_affordances", "missing_affordances"]
