"""Texts that every match of a pattern must hold, so that skip bitmaps help patterns too. Pure.

Deliberately simple: only plain runs of the outermost concatenation are used, and from the first
unusual thing on (a group, an odd escape) nothing is. Fewer texts only mean that more is looked at;
a text that some match could lack would lose evidence.
"""

from __future__ import annotations

_SPECIAL = frozenset("\\^$.|?*+()[]{}")
_OPTIONAL = frozenset("?*{")
_PUNCTUATION = frozenset(".-_/:@+*?()[]{}|^$\\")
_CLASSES = frozenset("dwsbDWSB")


def required_texts(pattern: str, *, exact: bool) -> list[str]:
    """Plain texts that stand in every match of an RE2 pattern, longest first; may be empty.

    Args:
        pattern: the pattern.
        exact: letter case matters. Where it does not, RE2 lets ``s`` and ``k`` match two letters
            outside ASCII that `lower` does not fold to them, so runs are cut there.
    """
    if "|" in pattern or "(?" in pattern:
        return []
    runs = _runs(pattern)
    if not exact:
        runs = [piece for run in runs for piece in _safe_pieces(run)]
    return sorted({run for run in runs if run}, key=lambda run: (-len(run), run))


def _safe_pieces(run: str) -> list[str]:
    cut = "".join(sign if sign.isascii() and sign not in "sSkK" else "\0" for sign in run)
    return cut.split("\0")


def _runs(pattern: str) -> list[str]:
    runs: list[str] = []
    run, at = "", 0
    while at < len(pattern):
        sign, width = _literal(pattern, at)
        after = pattern[at + width : at + width + 1]
        if sign and after not in _OPTIONAL:
            run += sign
            at += width
            if after != "+":
                continue
        runs.append(run)
        run = ""
        at = _behind(pattern, at, width if not sign or after in _OPTIONAL else 0)
    return [*runs, run]


def _literal(pattern: str, at: int) -> tuple[str, int]:
    """The plain sign at a place and its width in the pattern; empty when it is none."""
    sign = pattern[at]
    if sign == "\\":
        escaped = pattern[at + 1 : at + 2]
        return (escaped, 2) if escaped in _PUNCTUATION and escaped else ("", 2)
    return ("", 1) if sign in _SPECIAL else (sign, 1)


def _behind(pattern: str, at: int, width: int) -> int:
    """The place behind one thing that is no plain text, and behind its quantifier."""
    stop = len(pattern)
    if width:
        opened = pattern[at]
        if opened == "(" or (opened == "\\" and not _harmless(pattern[at + 1 : at + 2])):
            return stop
        if opened == "[":
            end = pattern.find("]", at + 2 + (pattern[at + 1 : at + 2] == "^"))
            inside = pattern[at + 1 : end]
            if end < 0 or "\\" in inside or "[" in inside:
                return stop
            width = end + 1 - at
    at += width
    if pattern[at : at + 1] == "{":
        end = pattern.find("}", at)
        return stop if end < 0 else end + 1
    while at < stop and pattern[at] in "?*+":
        at += 1
    return at


def _harmless(escaped: str) -> bool:
    return bool(escaped) and (escaped in _CLASSES or escaped in _PUNCTUATION)
