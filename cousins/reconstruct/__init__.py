"""From the frames of one object to an interactive asset."""
