"""The pure floor: bytes on which two strangers must agree. No files, clock, threads or environment."""
