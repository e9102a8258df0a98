"""The views people query, and the one door through which later packages add theirs.

A view is defined over ``base.records`` (one row per record of any kind) or over other views. With
the passphrase it may use content columns; without it, only its clear form exists.
"""

# ruff: noqa: S608 - definitions are constants

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from logstore.errors import UsageError
from logstore.formats.clearfields import FIELDS
from logstore.formats.record import INTERACTION, LOG, SPAN
from logstore.query.columns import CAPTURED_KINDS
from logstore.query.links import each_once
from logstore.query.timeline import FIRST_US, LAST_US

CALL_COLUMNS = frozenset({"interaction_id", "is_primary", "captures"})
"""Columns for which it must be known which records are of one call."""

_NAME = re.compile(r"[a-z][a-z_]{0,62}")
_WORDS = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class View:
    """One view.

    Attributes:
        name: its SQL name.
        sql: its SELECT with content; None where it says nothing more than `clear_sql`.
        clear_sql: its SELECT without content; None when it needs the passphrase.
        help: one line for people.
        needs_calls: it counts calls, so it must be known which records are of one.
    """

    name: str
    sql: str | None
    clear_sql: str | None
    help: str
    needs_calls: bool = False

    def select(self, *, content: bool) -> str | None:
        """Its SELECT in this mode, or None when it needs the passphrase."""
        return (self.sql or self.clear_sql) if content else self.clear_sql


_views: dict[str, View] = {}


def register_view(name: str, sql: str, needs_content: bool, *, help: str = "") -> None:  # noqa: A002 - the field of View
    """Add a view before an engine is opened; the same definition twice is fine.

    Args:
        name: lower-case SQL name.
        sql: one SELECT over the views here.
        needs_content: it uses content columns, so it exists only with the passphrase.
        help: one line for people.

    Raises:
        UsageError: the name is taken by another definition, or is no plain name.
    """
    words = set(_WORDS.findall(sql.lower()))
    counts = words & CALL_COLUMNS or any(
        view.needs_calls for view in map(_views.get, words) if view
    )
    content, clear = (sql, None) if needs_content else (None, sql)
    add(View(name, content, clear, help, needs_calls=bool(counts)))


def add(view: View) -> None:
    """Add a view that has both forms; see `register_view`."""
    if not _NAME.fullmatch(view.name):
        raise UsageError(f"{view.name!r} is no name for a view")
    if _views.setdefault(view.name, view) != view:
        raise UsageError(f"there is a view {view.name} already")


def registered() -> list[View]:
    """Every view, in the order of registration."""
    return list(_views.values())


def find(name: str) -> View | None:
    """A view by name."""
    return _views.get(name)


_CLEAR = ", ".join(f"r.{field.column}" for field in FIELDS)
_RAW = (
    "index", "id", "time_us", "recorded_us", "source", "seq", "recorded_by", "subjects", "body_len",
)  # fmt: skip
_ONE = (
    "session_id", "conversation_id", "actor", "client_address", "response_id", "trace_id",
    "span_id", "parent_span_id", "system_text", "input_text", "output_text", "tool_text",
    "error_message", "note", "input_preview", "output_preview", "content_state",
)  # fmt: skip
_OF_PRIMARY = frozenset(
    {"capture_format", "capture_dialect", "capture_grade", "capture_gaps", "content_state"}
)
"""What is said of one record and not of the call; everything else the call's records may add."""


def _moment(column: str) -> str:
    """A TIMESTAMP (UTC) that any stated microsecond fits: what no calendar holds stands at its end.

    Without it one record with a forged time would make every question about time fail.
    """
    return f"make_timestamp(greatest(least({column}, {LAST_US}), {FIRST_US}))"


_HEAD = (
    f'r.index, r.id, {_moment("r.time_us")} AS "time", r.time_us, '
    f"{_moment('r.recorded_us')} AS recorded, r.recorded_us, r.source, r.seq, r.recorded_by, "
    "r.subjects, r.body_len"
)
_CONTENT = (
    "r.user_id, CASE WHEN r.user_id IS NULL THEN []::VARCHAR[] "
    "ELSE list_prepend(r.user_id, coalesce(r.more_users, [])) END AS user_ids, "
    + ", ".join(f"r.{name}" for name in _ONE)
)
_MODEL = "coalesce(response_model, request_model)"
_CUT = (
    "substring(CASE p.col WHEN 'system_text' THEN system_text WHEN 'input_text' THEN input_text "
    "WHEN 'output_text' THEN output_text ELSE tool_text END, p.at + 1, p.len)"
)
_PARTS = (
    f'SELECT r.index, {_moment("r.time_us")} AS "time", r.time_us, application, session_id, '
    f"user_id, {_MODEL} AS model, coalesce(c.root, r.index) AS interaction_id, "
    "coalesce(c.is_primary, true) AS is_primary, "
    "system_text, input_text, output_text, tool_text, unnest(parts) AS p "
    "FROM base.known r LEFT JOIN base.calls c ON c.index = r.index "
    f"WHERE kind = '{INTERACTION}'"
)
_SEEN = f"{_moment('min(time_us)')} AS first_seen, {_moment('max(time_us)')} AS last_seen"
_VERSION = f"concat({_MODEL}, '@', coalesce(model_version, '?'))"


def _edges(kind: str, name: str, where: str) -> str:
    """Edges from one column; counted before lists are opened, because few lists are distinct."""
    return (
        f"SELECT '{kind}' AS from_kind, {name} AS from_name, {_VERSION} AS version, low, high, n "
        f"FROM (SELECT {where}, response_model, request_model, model_version, "
        "min(time_us) AS low, max(time_us) AS high, count(*) AS n FROM calls "
        f"WHERE {where.partition(',')[0]} IS NOT NULL GROUP BY ALL)"
    )


_EDGES = " UNION ALL ".join(
    [
        _edges("dataset", "unnest(dataset_ids)", "dataset_ids"),
        _edges("document", "unnest(document_ids)", "document_ids"),
        _edges(
            "prompt",
            "concat(prompt_name, '@', coalesce(prompt_version, '?'))",
            "prompt_name, prompt_version",
        ),
        _edges(
            "application",
            "concat(application, '@', coalesce(application_version, '?'))",
            "application, application_version",
        ),
    ]
)


def _captured(which: str, *, content: bool) -> str:
    """Captured records of some kinds, always with the same columns."""
    if not content:
        return f"SELECT {_HEAD}, {_CLEAR} FROM base.records r WHERE {which}"
    return (
        f"SELECT {_HEAD}, {_CLEAR}, {_CONTENT}, coalesce(c.root, r.index) AS interaction_id, "
        "coalesce(c.is_primary, true) AS is_primary, coalesce(c.captures, 1) AS captures "
        f"FROM base.known r LEFT JOIN base.calls c ON c.index = r.index WHERE {which}"
    )


def _each() -> str:
    """One row per record of a call, where no two are of the same one: three times as fast."""
    return (
        f"SELECT {_HEAD}, {_CLEAR}, {_CONTENT}, r.index AS interaction_id, 1 AS captures "
        f"FROM base.known r WHERE {_INTERACTIONS}"
    )


_LONG = ("system_text", "input_text", "output_text", "tool_text", "error_message", "note")
"""Texts of any length; they are read when somebody asks for them and never gathered."""

_NAMED = (
    "flatten(list(list_prepend(k.user_id, coalesce(k.more_users, [])) "
    "ORDER BY c.place) FILTER (k.user_id IS NOT NULL))"
)
_WHO = each_once("named")

_MEMBERS = "FROM base.calls c JOIN base.known k ON k.index = c.index WHERE c.captures > 0"


def _taken(names: Iterable[str]) -> str:
    """What a call says: what its primary record does not comes from the next one that does."""
    return ", ".join(
        f"arg_min{'_null' if name in _OF_PRIMARY else ''}(k.{name}, c.place) AS {name}"
        for name in names
    )


def _together(names: Iterable[str]) -> str:
    """One row per call of several records."""
    return (
        f"SELECT *, who[1] AS user_id, who[2:] AS more_users FROM (SELECT *, {_WHO} AS who FROM "
        f"(SELECT c.root, any_value(c.captures) AS captures, {_NAMED} AS named, {_taken(names)} "
        f"{_MEMBERS} GROUP BY c.root))"
    )


def _once(together: str, texts: str = "") -> str:
    """One row per call.

    Args:
        together: the calls of several records, as a table `r`.
        texts: name of the table of their long texts where `r` lacks them.
    """
    whole = f"SELECT {_HEAD}, {_CLEAR}, {_CONTENT}"
    shared = whole
    for name in _LONG if texts else ():
        shared = shared.replace(f"r.{name}", f"{texts}.{name}")
    return (
        f"{whole}, r.index AS interaction_id, 1 AS captures FROM base.known r "
        f"ANTI JOIN base.calls c ON c.index = r.index WHERE {_INTERACTIONS} "
        f"UNION ALL {shared}, r.root AS interaction_id, r.captures FROM {together}"
    )


_MODELS = f"list_sort(list(DISTINCT {_MODEL}))"
_APPLICATIONS = "list_sort(list(DISTINCT application))"
_INTERACTIONS = f"r.kind = '{INTERACTION}'"
_SPANS = f"r.kind IN ('{SPAN}', '{LOG}')"
_EVENTS = f"r.kind NOT IN {CAPTURED_KINDS}"

add(
    View(
        "interactions",
        _captured(_INTERACTIONS, content=True),
        _captured(_INTERACTIONS, content=False),
        "one row per record of a call; interaction_id and is_primary group those of one call",
    )
)
CALLS = "calls"
"""Name of the view with one row per call."""

_FIELDS_OF_CALL = (*_RAW, *(field.column for field in FIELDS), *_ONE)

SHARED_CALLS = _once(f"({_together(_FIELDS_OF_CALL)}) r")
"""What ``base.once`` is where several records are of one call."""

GATHERED = _together(name for name in _FIELDS_OF_CALL if name not in _LONG)
"""What ``base.gathered`` holds: all that calls of several records say but for long texts."""

GATHERED_CALLS = _once(
    f"base.gathered r JOIN (SELECT c.root, {_taken(_LONG)} {_MEMBERS} GROUP BY c.root) t "
    "ON t.root = r.root",
    "t",
)
"""What ``base.once`` is then: a filter, e.g. of people or times, finds its calls in that table."""

SINGLE_CALLS = _each()
"""What ``base.once`` is where no two records are of one call."""

add(
    View(
        CALLS,
        "SELECT * FROM base.once",
        _captured(_INTERACTIONS, content=False),
        "one row per call to a model, tool, retriever or agent, however often it was recorded; "
        "records of one call can be told only with the passphrase",
        needs_calls=True,
    )
)
add(
    View(
        "messages",
        'SELECT index, "time", time_us, application, session_id, user_id, model, '
        f"p.side, p.position, p.role, p.type, p.name, p.call_id, {_CUT} AS text, "
        f"interaction_id, is_primary FROM ({_PARTS})",
        None,
        "one row per message part: who said what",
    )
)
add(
    View(
        "tool_calls",
        'SELECT index, "time", time_us, application, session_id, user_id, model, '
        f"p.side, p.name, p.call_id, {_CUT} AS arguments, interaction_id, is_primary "
        f"FROM ({_PARTS}) WHERE p.type = 'tool_call'",
        f'SELECT index, {_moment("time_us")} AS "time", time_us, application, '
        f"{_MODEL} AS model, unnest(tool_names) AS name "
        f"FROM base.records WHERE kind = '{INTERACTION}'",
        "one row per tool call; its arguments need the passphrase",
    )
)
add(
    View(
        "sessions",
        f"SELECT session_id, {_SEEN}, count(*) AS interactions, "
        "count(DISTINCT user_id) AS users, list_sort(list(DISTINCT user_id)) AS user_ids, "
        f"{_MODELS} AS models, {_APPLICATIONS} AS applications, "
        "count(error_type) AS errors, sum(input_tokens)::BIGINT AS input_tokens, "
        "sum(output_tokens)::BIGINT AS output_tokens FROM calls "
        "WHERE session_id IS NOT NULL GROUP BY session_id",
        f"SELECT session, {_SEEN}, count(*) AS interactions, "
        f"{_MODELS} AS models, {_APPLICATIONS} AS applications, "
        "count(error_type) AS errors, sum(input_tokens)::BIGINT AS input_tokens, "
        "sum(output_tokens)::BIGINT AS output_tokens FROM calls "
        "WHERE session IS NOT NULL GROUP BY session",
        "one row per session; without the passphrase by its pseudonym",
        needs_calls=True,
    )
)
add(
    View(
        "models",
        None,
        f"SELECT provider, {_MODEL} AS model, model_version, {_SEEN}, "
        "count(*) AS interactions, count(error_type) AS errors, "
        "sum(input_tokens)::BIGINT AS input_tokens, sum(output_tokens)::BIGINT AS output_tokens "
        "FROM calls GROUP BY ALL",
        "each model and version: first and last seen, counts",
        needs_calls=True,
    )
)
add(
    View(
        "users",
        f"SELECT user_id, {_SEEN}, "
        "count(*) AS interactions, count(DISTINCT session_id) AS sessions, "
        f"{_APPLICATIONS} AS applications, count(error_type) AS errors, "
        "sum(input_tokens)::BIGINT AS input_tokens, "
        "sum(output_tokens)::BIGINT AS output_tokens FROM "
        "(SELECT time_us, session_id, application, error_type, input_tokens, output_tokens, "
        "unnest(user_ids) AS user_id FROM calls) GROUP BY user_id",
        None,
        "each person named in a call: first and last seen, counts",
        needs_calls=True,
    )
)
add(
    View(
        "lineage",
        None,
        "SELECT from_kind, from_name, version AS to_model_version, "
        f"{_moment('min(low)')} AS first_seen, {_moment('max(high)')} AS last_seen, "
        f"sum(n)::BIGINT AS interactions FROM ({_EDGES}) GROUP BY from_kind, from_name, version",
        "which dataset, document, prompt or application met which model version, and when",
        needs_calls=True,
    )
)
add(
    View(
        "spans",
        _captured(_SPANS, content=True),
        _captured(_SPANS, content=False),
        "the applications' own spans and log lines around their calls: who asked, over what",
    )
)
add(
    View(
        "events",
        f"SELECT {_HEAD}, r.kind, r.clear, r.note, r.content_state "
        f"FROM base.records r WHERE {_EVENTS}",
        f"SELECT {_HEAD}, r.kind, r.clear FROM base.records r WHERE {_EVENTS}",
        "every other record: keys, seals, access, incidents ... with its clear fields as JSON",
    )
)
