"""Long spans of time as people say them: 10y, 13m, 26w, 400d; in whole days, rounded up."""

from __future__ import annotations

import math
import re

from logstore.errors import UsageError

_SPAN = re.compile(r"([1-9][0-9]{0,4})([ymwd])")
_DAYS = {"y": 365.25, "m": 365.25 / 12, "w": 7.0, "d": 1.0}


def days(text: str, option: str) -> int:
    """Days in a span, enough for the longest that it can mean: 10y are 3,653, 13m are 396.

    Raises:
        UsageError: it is not one; `option` names where it was said.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{option} {text!r} is not a span of time", todo="Say it as 10y, 13m, 26w or 400d."
        )
    return math.ceil(int(found[1]) * _DAYS[found[2]])
