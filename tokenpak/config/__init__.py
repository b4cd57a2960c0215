"""Settings and paths: TOML, environment and arguments become frozen values."""
