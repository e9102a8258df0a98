"""The eight questions that every investigation asks, as named SQL over the views.

What counts asks the view ``calls``, so that a call recorded three times counts once; what looks
for a text asks ``interactions``, so that no record of a call is left out.

The bench measures them and the demo answers some of them, so they are written once, here.
"""

# ruff: noqa: S608 - built from constants; `fill` quotes what people bring

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """One named question.

    Attributes:
        name: short name, e.g. ``by-user``.
        asks: what it answers, for people.
        sql: SQL over the views; `{...}` are filled by `fill`.
        needs_content: the passphrase is needed.
    """

    name: str
    asks: str
    sql: str
    needs_content: bool = True

    def fill(self, **values: str | int) -> str:
        """The SQL with its blanks filled; text is quoted as an SQL literal."""
        said = {
            name: value if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
            for name, value in values.items()
        }
        return self.sql.format(**said)


_TEXT = "input_text, output_text, system_text, tool_text"

QUESTIONS: tuple[Question, ...] = (
    Question(
        "time-by-version",
        "How many calls did each model version answer, hour by hour?",
        'SELECT time_bucket(INTERVAL 1 HOUR, "time") AS hour, model_version, count(*) AS calls, '
        "count(error_type) AS errors FROM calls "
        "WHERE time_us >= {since} AND time_us < {until} GROUP BY ALL ORDER BY ALL",
        needs_content=False,
    ),
    Question(
        "by-user",
        "What one person asked and was told, in order and in short; `aircon show` has it in full.",
        'SELECT index, "time", application, response_model, input_preview, output_preview '
        "FROM calls WHERE user_id = {user} ORDER BY index",
    ),
    Question(
        "substring",
        "Which records hold this exact text anywhere?",
        'SELECT index, "time", user_id FROM interactions WHERE '
        + " OR ".join(f"contains({name}, {{text}})" for name in _TEXT.split(", "))
        + " ORDER BY index",
    ),
    Question(
        "pattern",
        "Which records hold text of this pattern?",
        'SELECT index, "time", user_id FROM interactions WHERE '
        + " OR ".join(f"regexp_matches({name}, {{pattern}})" for name in _TEXT.split(", "))
        + " ORDER BY index",
    ),
    Question(
        "top-users",
        "Who calls most, and with how many tokens?",
        "SELECT user_id, count(*) AS calls, sum(input_tokens + output_tokens) AS tokens "
        "FROM calls GROUP BY user_id ORDER BY calls DESC, user_id LIMIT 20",
    ),
    Question(
        "injection-then-tool",
        "Where was an injection phrase followed, in the same session, by a tool call?",
        "WITH phrase AS (SELECT session_id, min(index) AS index FROM calls "
        "WHERE contains(input_text, {text}) OR contains(tool_text, {text}) GROUP BY session_id) "
        "SELECT p.session_id, p.index AS phrase_at, i.index AS call_at, i.tool_names "
        "FROM phrase p JOIN calls i ON i.session_id = p.session_id AND i.index >= p.index "
        "WHERE len(i.tool_names) > 0 ORDER BY p.index, i.index",
    ),
    Question(
        "by-id",
        "One record by its id.",
        "SELECT index, time, user_id, session_id, application, response_model, model_version, "
        "input_text, output_text, tool_text, content_state FROM interactions WHERE id = {id}",
    ),
    Question(
        "versions",
        "When was each model version first and last seen?",
        "SELECT model, model_version, first_seen, last_seen, interactions, errors FROM models "
        "ORDER BY first_seen",
        needs_content=False,
    ),
    Question(
        "lineage",
        "Which sessions met a model version that had met this dataset?",
        "SELECT i.application, count(DISTINCT i.session) AS sessions, count(*) AS calls "
        "FROM calls i JOIN (SELECT DISTINCT to_model_version FROM lineage "
        "WHERE from_kind = 'dataset' AND from_name = {dataset}) l ON l.to_model_version = "
        "concat(coalesce(i.response_model, i.request_model), '@', coalesce(i.model_version, '?')) "
        "GROUP BY ALL ORDER BY ALL",
        needs_content=False,
    ),
)  # fmt: skip
"""Q1 to Q8 of the performance notes; substring and pattern are both Q3."""

BY_NAME = {question.name: question for question in QUESTIONS}
"""The questions by name."""
