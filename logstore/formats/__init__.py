"""The pure floor: bytes on which two strangers must agree; no files, clock, threads, environment."""
