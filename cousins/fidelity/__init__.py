"""Fidelity of a twin: a scene and the frames of its capture come in, shares explained, missing and phantom go out.

No ground truth is needed: the twin is rendered from the cameras of frames and its depth is compared with what these
frames measured, where other frames confirm it.
"""
