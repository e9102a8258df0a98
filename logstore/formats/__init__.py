"""The pure floor: bytes on which two strangers must agree. No files, no clock, no threads."""
