"""Control plane: health, statistics and supervision. No model request flows here."""
