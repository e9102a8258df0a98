from __future__ import annotations

import pytest
from support.fake_reader import START_US

from logstore.query.engine import Engine
from logstore.query.forensic import BY_NAME, QUESTIONS, Question

BLANKS = {
    "since": START_US,
    "until": START_US + 86_400_000_000,
    "user": "maria",
    "text": "Refund",
    "pattern": "(?i)refund",
    "id": "x",
    "dataset": "kb",
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_question_is_answered(
    engine: Engine, clear_engine: Engine, question: Question
) -> None:
    engine.sql(question.fill(**BLANKS))
    if not question.needs_content:
        clear_engine.sql(question.fill(**BLANKS))


def test_an_injection_phrase_followed_by_a_tool_call_is_found(engine: Engine) -> None:
    found = engine.sql(BY_NAME["injection-then-tool"].fill(text="Hello there"))
    assert list(found.rows) == [("s1", 1, 2, ["search_kb"])]


def test_what_people_bring_is_quoted(engine: Engine) -> None:
    hostile = "x' OR '1'='1"
    assert len(engine.sql(BY_NAME["by-user"].fill(user=hostile))) == 0
    assert len(engine.sql(BY_NAME["by-user"].fill(user="maria"))) == 2
