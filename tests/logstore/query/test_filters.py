from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import UsageError
from logstore.query.filters import _NAMES, KEYS, MAX_FILTER, Filter, parse_filter

NOW = int(datetime(2026, 11, 22, 12, 30, tzinfo=UTC).timestamp()) * 1_000_000
HOUR = 3_600_000_000

values = st.text(min_size=1, max_size=40)
moments = st.integers(min_value=-(10**17), max_value=10**18)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    since = draw(st.none() | moments)
    until = draw(st.none() | moments)
    if since is not None and until is not None and since >= until:
        until = since + 1
    text = draw(st.just("") | values)
    named = {name: draw(st.none() | values) for name in _NAMES.values()}
    return Filter(
        text=text,
        regex=bool(text) and draw(st.booleans()),
        exact=draw(st.booleans()),
        field=draw(st.sampled_from(["any", "input", "output", "system", "tool"])),
        errors_only=draw(st.booleans()),
        since_us=since,
        until_us=until,
        **named,
    )


@given(filters())
def test_a_filter_in_words_reads_back_as_itself(found: Filter) -> None:
    assert parse_filter(found.to_words(), NOW) == found


@given(st.text(max_size=80))
def test_any_line_is_read_or_refused_in_words(line: str) -> None:
    try:
        found = parse_filter(line, NOW)
    except UsageError:
        return
    assert parse_filter(found.to_words(), 0) == found
    assert found.describe()


def test_a_line_as_a_responder_types_it() -> None:
    found = parse_filter('user:maria model:gpt-5* since:2h is:error "refund  policy" now', NOW)
    assert found == Filter(
        text="refund  policy now",
        user="maria",
        model="gpt-5*",
        errors_only=True,
        since_us=NOW - 2 * HOUR,
    )
    assert found.describe() == (
        'text "refund  policy now", user maria, model gpt-5*, errors only, '
        "since 2026-11-22 10:30 UTC"
    )


@pytest.mark.parametrize(
    ("said", "since", "until"),
    [
        ("on:2026-11-20", "2026-11-20", "2026-11-21"),
        ("on:yesterday", "2026-11-21", "2026-11-22"),
        ("since:today", "2026-11-22", None),
        ("until:2026-11-20", None, "2026-11-21"),
        ("until:2026-11-20T00:00", None, "2026-11-20"),
        ("since:2026-11-20T02:00+02:00", "2026-11-20", None),
        ("since:2026-11-19 until:2026-11-19", "2026-11-19", "2026-11-20"),
    ],
)
def test_days_are_whole_and_in_utc(said: str, since: str | None, until: str | None) -> None:
    def us(day: str | None) -> int | None:
        if day is None:
            return None
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000

    found = parse_filter(said, NOW)
    assert (found.since_us, found.until_us) == (us(since), us(until))


@pytest.mark.parametrize(
    ("said", "seconds"), [("90s", 90), ("15m", 900), ("3d", 259_200), ("1w", 604_800)]
)
def test_durations_count_back_from_now(said: str, seconds: int) -> None:
    assert parse_filter(f"since:{said}", NOW).since_us == NOW - seconds * 1_000_000


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("hello usr:maria", "at character 7"),
        ("usr:maria", "did you mean user:"),
        ('find "this', "opened at character 6"),
        ("user:", "has no value"),
        ("user:a user:b", "given twice (at character 8)"),
        ("since:soon", "at character 1"),
        ("since:2026-13-01", "takes 2h"),
        ("since:1h until:2h", "nothing can match"),
        ("in:nowhere", "any, input, output"),
        ("is:fine", "is: takes error"),
        ("on:2h", "takes a day"),
        ("case:maybe", "exact or any"),
        ('regex:"a" b', "either text or regex:"),
        ("x" * (MAX_FILTER + 1), "are allowed"),
    ],
)
def test_mistakes_are_named_with_their_place(line: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(line, NOW)
    assert says in caught.value.what


def test_a_pasted_address_is_text_and_not_a_key() -> None:
    assert parse_filter("https://evil.example/x", NOW).text == "https://evil.example/x"


def test_a_key_in_quotes_is_text() -> None:
    assert parse_filter('"error: timeout"', NOW).text == "error: timeout"


def test_every_key_has_help_and_is_understood() -> None:
    sample = {"since": "2h", "until": "2h", "on": "today", "is": "error", "in": "tool"}
    for key in KEYS:
        line = f"{key}:{sample.get(key, 'exact')}"
        assert parse_filter(line, NOW) != Filter(), line


def test_only_text_and_identity_need_content() -> None:
    assert not parse_filter("model:gpt-5 since:2h app:support is:error", NOW).needs_content
    for line in ("hello", "user:maria", "conversation:c1"):
        assert parse_filter(line, NOW).needs_content
