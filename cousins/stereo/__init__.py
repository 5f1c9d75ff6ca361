"""Multi-view stereo on a CPU: depth from images of known pose, kept where several views agree."""
