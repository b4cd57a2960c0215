"""One main per process."""
