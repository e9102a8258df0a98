"""Playbooks: roles, approvals, legal clocks and rollbacks, executed on the log (see docs/)."""
