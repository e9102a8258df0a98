"""Measurements: each figure beside its floor or a peer in the same run, quoted as a ratio."""
