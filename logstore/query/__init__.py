"""Questions to stored facts: the working copy, read-only SQL, search and the explorer."""
