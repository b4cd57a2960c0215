"""The wire between our processes."""
