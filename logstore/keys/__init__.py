"""Keys: the only mutable secret, and its destruction."""
