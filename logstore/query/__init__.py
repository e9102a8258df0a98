"""Questions over verified evidence: DuckDB views, the working copy and search."""
