"""Semantic layer: the words of TIP-1.0. Imports nothing of ours."""
