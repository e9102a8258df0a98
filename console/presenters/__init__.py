"""Pure translation of facts into words and cells, for both doors. No I/O, clock or widgets."""
