"""What an asset affords, measured on its geometry: grasps, hollows, flat tops and joints."""

from cousins.affordances.comparison import lost
from cousins.affordances.measure import signature_of
from cousins.affordances.signatures import Cavity, Grasp, JointAffordance, Signature, Support

__all__ = ["Cavity", "Grasp", "JointAffordance", "Signature", "Support", "lost", "signature_of"]
