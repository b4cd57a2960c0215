"""TokenPak: a local proxy that sends fewer tokens with the same meaning. The map of the rooms is docs/architecture.md."""

__version__ = "0.1.0"
