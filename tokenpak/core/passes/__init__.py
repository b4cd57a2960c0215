"""Compression passes, one file each; PASSES holds them in order."""

from tokenpak.core.passes import line_runs

PASSES = (line_runs.NAME,)
"""Names of the passes, in the order in which they see a text."""
