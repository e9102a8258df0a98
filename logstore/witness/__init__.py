"""A witness of ours: it cosigns checkpoints and remembers what it vouched for."""
