"""Ten records with every sort of thing that queries meet."""

from __future__ import annotations

from support.fake_reader import START_US, Entry, chat, entry_of, event_of

from logstore.capture.interaction import Message, Part, Subject


def small_log() -> list[Entry]:
    """Ten records; the index of each is its line here."""
    tool = Message(
        "assistant",
        [Part("text", "I look it up"), Part("tool_call", '{"q":"π"}', "c1", "search_kb")],
    )
    several = [Subject("bob", "user", "sdk"), Subject("carol", "user", "sdk")]
    return [
        event_of("log.opened", {"origin": "example.org/log"}),
        entry_of(chat("Hello there", "Hi Maria", user="maria", session_id="s1", start_us=START_US)),
        entry_of(
            chat(
                "Refund POLICY?",
                user="maria",
                session_id="s1",
                output=[tool],
                tool_names=["search_kb"],
            )
        ),
        entry_of(
            chat("both of us", "ok", subjects=several, session_id="s2", application="support")
        ),
        entry_of(chat("forgotten", "gone", user="dave"), state="destroyed"),
        entry_of(
            chat("100% sure_ \\o/", "日本語テスト العربية", user="erin", error_type="timeout")
        ),
        event_of("access.query", {"action": "sql"}, {"text": "select secret question"}),
        entry_of(
            chat("gateway", "same call", response_id="r-1", start_us=START_US, grade="gateway")
        ),
        entry_of(
            chat("span", "same call", response_id="r-1", trace_id="t1", span_id="p1", grade="span")
        ),
        entry_of(
            chat(
                "event",
                "same call",
                trace_id="t1",
                span_id="p1",
                request_model="gpt-4",
                grade="event",
            )
        ),
    ]
