"""Storage: the only floor of logstore that writes, syncs, links and locks."""
