"""Capture: foreign bytes in, records out. Decoders are pure; `importing` does the I/O."""
