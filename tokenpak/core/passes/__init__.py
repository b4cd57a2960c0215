"""Compression passes, one file each."""
