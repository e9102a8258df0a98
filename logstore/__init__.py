"""aircon's evidence: the log, its keys, its proofs and the questions asked of it."""
