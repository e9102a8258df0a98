"""The looks of the console. Meaning never rests on colour: each state has a word and a glyph."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="aircon-dark",
    primary="#6cb6ff",
    secondary="#96a0ad",
    accent="#f0b45a",
    warning="#f0b45a",
    error="#ff8078",
    success="#7bd88f",
    foreground="#dde3ea",
    background="#12161c",
    surface="#181d25",
    panel="#222934",
    dark=True,
    variables={"quiet": "#8f9bab", "cursor": "#2b4566", "person": "#d2a8ff", "machine": "#7ee0d6"},
)
LIGHT = Theme(
    name="aircon-light",
    primary="#0b5cad",
    secondary="#57606a",
    accent="#8a5300",
    warning="#8a5300",
    error="#b3261e",
    success="#17692c",
    foreground="#1b1f24",
    background="#ffffff",
    surface="#f6f8fa",
    panel="#e6ebf1",
    dark=False,
    variables={"quiet": "#5a6470", "cursor": "#cfe3fb", "person": "#6f2dbd", "machine": "#00605a"},
)
CONTRAST = Theme(
    name="aircon-contrast",
    primary="#ffff00",
    secondary="#ffffff",
    accent="#00ffff",
    warning="#ffff00",
    error="#ff9d9d",
    success="#00ff66",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={"quiet": "#ffffff", "cursor": "#0000c0", "person": "#ffb3ff", "machine": "#00ffff"},
)
THEMES = (DARK, LIGHT, CONTRAST)
"""In the order `T` goes through them."""


def next_theme(name: str) -> str:
    """The theme after this one."""
    names = [theme.name for theme in THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
