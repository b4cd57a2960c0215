"""What a provider's reply says about itself: one reader per API family, fed with events or with the whole document."""
