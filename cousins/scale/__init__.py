"""How long a metre is in a capture: printed tags of known size."""
