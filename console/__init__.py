"""The console: the only room that knows a terminal exists."""
