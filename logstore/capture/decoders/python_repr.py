"""Python literals that found their way into telemetry (`str(dict)`), read without evaluating them.

LiteLLM's OpenTelemetry callback writes messages and choices this way. The literal is rewritten to
JSON token by token, so that the JSON parser's limits on depth and size apply.
"""

from __future__ import annotations

import re

from logstore.capture.decoders import jsonvalues
from logstore.errors import FormatError

MAX_TEXT = 4 * 2**20
"""Longest literal that is read, in characters."""

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_]+)|(?P<other>[^'"A-Za-z_]+)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_WORDS = {"None": "null", "True": "true", "False": "false", "e": "e", "E": "E"}
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}


def literal(text: str) -> object:
    """The value of a Python literal made of dict, list, str, numbers, bool and None.

    Raises:
        FormatError: anything else, or too long.
    """
    if len(text) > MAX_TEXT:
        raise FormatError(f"a Python literal of {len(text)} characters; at most {MAX_TEXT}")
    out: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise FormatError("not a Python literal")
        out.append(_as_json(token))
        at = token.end()
    return jsonvalues.load("".join(out))


def _as_json(token: re.Match[str]) -> str:
    if (quoted := token["text"]) is not None:
        plain = _ESCAPE.sub(_unescaped, quoted[1:-1])
        return jsonvalues.as_text([plain])[1:-1] or '""'
    if (word := token["word"]) is not None:
        if word not in _WORDS:
            raise FormatError("a Python literal that holds an object")
        return _WORDS[word]
    return token["other"]


def _unescaped(match: re.Match[str]) -> str:
    code = match[0][1:]
    if code[0] in "xuU" and len(code) > 1:
        point = int(code[1:], 16)
        return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else "\ufffd"
    return _CONTROL.get(code, code)
