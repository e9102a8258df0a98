"""Decoders: one module per source format, pure bytes to `Interaction`."""
