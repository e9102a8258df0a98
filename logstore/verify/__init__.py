"""Verification: findings over evidence, never a change to it."""
