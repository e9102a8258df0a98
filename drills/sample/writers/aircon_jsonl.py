"""aircon's own JSON lines, written by the field team's app through the capture library."""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Msg, Turn
from drills.sample.company import prompt_version
from drills.sample.writers.files import Files, week

FORMAT = "aircon"


class AirconWriter:
    """Writes one interaction per line."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, turn: Turn) -> str:
        """Write every call of the turn."""
        path = f"field-notes/aircon-{week(turn.start_us)}.jsonl"
        sink = self._files.sink(path, FORMAT)
        for call in turn.calls:
            sink.line(msgspec.json.encode(_line(turn, call)))
        return path

    def close(self) -> None:
        """Nothing is held back."""


def _line(turn: Turn, call: Call) -> dict[str, Any]:
    line: dict[str, Any] = {
        "aircon": 1,
        "operation": call.operation,
        "provider": call.provider,
        "request_model": call.model,
        "start_us": call.start_us,
        "end_us": call.end_us,
        "trace_id": turn.trace,
        "span_id": call.span,
        "session_id": turn.who.session,
        "subjects": [{"id": turn.who.user, "field": "user", "assurance": "sdk"}],
        "client_address": turn.who.address,
        "system": [{"type": "text", "text": m.text} for m in call.messages if m.role == "system"],
        "input": [_message(m) for m in call.messages if m.role != "system"],
        "params": {"temperature": call.temperature},
        "stream": call.stream,
        "application": turn.app.name,
        "application_version": turn.app.release,
        "environment": "prod",
        "prompt_name": turn.app.prompt,
        "prompt_version": prompt_version(turn.app, call.start_us),
    }
    if call.failure:
        line["error_type"] = call.failure.error_class
        line["error_message"] = call.failure.message
        line["http_status"] = call.failure.status
        return line
    line["response_model"] = call.served
    line["response_id"] = call.response_id
    line["output"] = [_message(call.output)]
    line["usage"] = {"input_tokens": call.tokens_in, "output_tokens": call.tokens_out}
    line["finish_reasons"] = [call.finish]
    if call.aborted:
        line["stream_aborted"] = True
    return line


def _message(msg: Msg) -> dict[str, Any]:
    return {"role": msg.role, "parts": [{"type": "text", "text": msg.text}]}
