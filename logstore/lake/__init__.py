"""The road past one machine: sealed clear columns as a table that other engines query."""
