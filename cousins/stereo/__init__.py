"""Depth from pictures of known pose, on a CPU: no device told it, several views must agree on it."""
