"""Data plane front: one request, top to bottom."""
