"""Objects by a model that is asked: questions proposed by geometry, masks of keyframes, one vote over all views."""
