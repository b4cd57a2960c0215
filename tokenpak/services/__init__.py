"""Data plane abilities, one resource each."""
