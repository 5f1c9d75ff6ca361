"""From posed frames to one surface: sparse signed-distance volumes and pose refinement."""
