"""The message shapes of providers and frameworks, and Python literals, as they meet in traces."""

from __future__ import annotations

import pytest

from logstore.capture.decoders.chat_messages import answered, asked, message_of, part_of
from logstore.capture.decoders.python_repr import MAX_TEXT, literal
from logstore.capture.interaction import Message, Part
from logstore.errors import FormatError

CALL = Part("tool_call", '{"city":"Paris"}', id="c1", name="weather")


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ({"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {
            "name": "weather", "arguments": '{"city":"Paris"}'}}]}, [CALL]),
        ({"role": "assistant", "function_call": {"name": "weather", "arguments": "{}"}},
         [Part("tool_call", "{}", name="weather")]),
        ({"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather",
          "input": {"city": "Paris"}}]}, [CALL]),
        ({"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "weather",
          "input": {"city": "Paris"}}}]}, [CALL]),
        ({"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "weather",
          "args": {"city": "Paris"}}}]}, [CALL]),
        ({"type": "function_call", "call_id": "c1", "id": "fc_9", "name": "weather",
          "arguments": '{"city":"Paris"}'}, [CALL]),
        ({"type": "ai", "content": "hi"}, [Part("text", "hi")]),
        ({"role": "assistant", "content": None, "refusal": "no"}, [Part("refusal", "no")]),
        ({"role": "assistant", "reasoning_content": "hm", "content": "hi"},
         [Part("reasoning", "hm"), Part("text", "hi")]),
    ],
)  # fmt: skip
def test_an_assistants_message_in_every_providers_shape(shape, parts):
    assert message_of(shape) == Message("assistant", parts)


@pytest.mark.parametrize(
    "shape",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "rainy"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rainy"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "rainy"},
        {"role": "tool", "parts": [
            {"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
        {"role": "tool", "id": "c1", "parts": [
            {"type": "tool_call_response", "id": "c1", "result": "rainy"}]},
    ],
)  # fmt: skip
def test_a_tools_answer_in_every_shape(shape):
    assert message_of(shape) == Message("tool", [Part("tool_call_response", "rainy", id="c1")])


@pytest.mark.parametrize(
    ("shape", "part"),
    [
        ("plain", Part("text", "plain")),
        (5, Part("text", "5")),
        ({"text": "untyped"}, Part("text", "untyped")),
        ({"odd": 1}, Part("json", '{"odd":1}')),
        ({"type": "image_url", "image_url": {"url": "u"}}, Part("uri", "u")),
        ({"type": "input_image", "image_url": "u"}, Part("uri", "u")),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ"}},
         Part("blob", "QQ", mime_type="image/png")),
        ({"type": "input_audio", "input_audio": {"data": "QQ", "format": "wav"}},
         Part("blob", "QQ", mime_type="wav")),
        ({"inlineData": {"mimeType": "image/png", "data": "QQ"}},
         Part("blob", "QQ", mime_type="image/png")),
        ({"type": "file", "file": {"file_id": "f1", "filename": "a.pdf"}},
         Part("file", "", id="f1", name="a.pdf")),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, Part("reasoning", "hm")),
        ({"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "a"},
          {"type": "summary_text", "text": "b"}]}, Part("reasoning", "a\nb", id="r1")),
        ({"type": "new_thing", "id": "n1", "depth": 3}, Part("new_thing", '{"id":"n1","depth":3}',
                                                             id="n1")),
    ],
)  # fmt: skip
def test_parts_of_every_kind(shape, part):
    assert part_of(shape) == part


@pytest.mark.parametrize(
    "request_body",
    [
        {"messages": [{"role": "system", "content": "rules"}, {"role": "user", "content": "hi"}]},
        {"messages": [{"role": "user", "content": "hi"}], "system": "rules"},
        {"messages": [{"role": "user", "content": "hi"}],
         "system": [{"type": "text", "text": "rules"}]},
        {"input": "hi", "instructions": "rules"},
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
         "systemInstruction": {"parts": [{"text": "rules"}]}},
        [{"role": "developer", "content": "rules"}, {"role": "user", "content": "hi"}],
    ],
)  # fmt: skip
def test_requests_of_every_provider(request_body):
    assert asked(request_body) == ([Part("text", "rules")], [Message("user", [Part("text", "hi")])])


def test_a_single_message_and_what_is_no_request():
    assert asked({"role": "user", "content": "hi"}) == ([], [Message("user", [Part("text", "hi")])])
    assert asked({"odd": 1}) is None
    assert asked(5) is None


def test_a_system_message_in_the_middle_stays_where_it_was_said():
    said = [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]
    assert asked(said) == (
        [], [Message("user", [Part("text", "a")]), Message("system", [Part("text", "b")])],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"choices": [{"message": {"role": "assistant", "content": "yo"},
                       "finish_reason": "stop"}]}, "stop"),
        ({"choices": [{"text": "yo", "finish_reason": "stop"}]}, "stop"),
        ({"choices": [{"delta": {"content": "yo"}, "finish_reason": None}]}, None),
        ({"output": [{"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "yo"}]}], "status": "completed"}, "completed"),
        ({"output": {"message": {"role": "assistant", "content": [{"text": "yo"}]}},
          "stopReason": "end_turn"}, "end_turn"),
        ({"role": "assistant", "content": [{"type": "text", "text": "yo"}],
          "stop_reason": "end_turn"}, "end_turn"),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "yo"}]},
                          "finishReason": "STOP"}]}, "STOP"),
        ({"message": {"role": "assistant", "content": "yo"}, "done_reason": "stop"}, "stop"),
        ("yo", None),
        (["yo"], None),
    ],
)  # fmt: skip
def test_responses_of_every_provider(response, reason):
    assert answered(response) == [Message("assistant", [Part("text", "yo")], reason)]


@pytest.mark.parametrize("response", [{}, [], None, 7, {"choices": 5}, {"output": 5}])
def test_what_is_no_response(response):
    assert answered(response) is None


def test_python_literals_are_read_without_being_run():
    said = "'say \\'hi\\'\\n\\x41\\u00e4\\U0001F600'"
    text = "{'a': None, 'b': [True, False, -1.5e3], \"it's\": " + said + "}"
    assert literal(text) == {
        "a": None, "b": [True, False, -1500.0], "it's": "say 'hi'\nA\u00e4\U0001f600",
    }  # fmt: skip
    assert literal("'\\ud800'") == "\ufffd"


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "{'a': <object>}", "'open", "{'a'}", "[" * 5_000, "x" * (MAX_TEXT + 1)],
)
def test_anything_else_is_no_literal(text):
    with pytest.raises(FormatError):
        literal(text)
