"""Pure core: values in, values out. No IO, clock, randomness, environment or logging."""
