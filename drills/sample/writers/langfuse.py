"""Langfuse export JSON: a trace with its observations, one object per line."""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Turn
from drills.sample.company import MODELS, prompt_version
from drills.sample.writers import openai_shapes as shapes
from drills.sample.writers.clock import iso_ms
from drills.sample.writers.files import Files

FORMAT = "langfuse"
_PATH = "quill-letters/langfuse-export.jsonl"
_PROJECT = "clq7letters0001lk08quill0001"


class LangfuseWriter:
    """Writes one trace per line."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, turn: Turn) -> str:
        """Write the turn as a trace: the application's span and a generation per call."""
        seen = [_span(turn), *(_generation(turn, call) for call in turn.calls)]
        line = msgspec.json.encode({"trace": _trace(turn), "observations": seen})
        self._files.sink(_PATH, FORMAT).line(line, len(turn.calls), len(seen))
        return _PATH

    def close(self) -> None:
        """Nothing is held back."""


def _trace(turn: Turn) -> dict[str, Any]:
    return {
        "id": turn.trace,
        "projectId": _PROJECT,
        "name": "draft-letter",
        "timestamp": iso_ms(turn.start_us),
        "environment": "production",
        "tags": ["letters", turn.language],
        "bookmarked": False,
        "release": turn.app.release,
        "version": None,
        "userId": turn.who.user,
        "sessionId": turn.who.session,
        "public": False,
        "input": turn.calls[0].messages[-1].text,
        "output": turn.calls[-1].output.text,
        "createdAt": iso_ms(turn.end_us + 900_000),
        "updatedAt": iso_ms(turn.end_us + 2_100_000),
        "metadata": {"team": turn.who.team},
        "scores": [],
        "latency": (turn.end_us - turn.start_us) / 1_000_000,
    }


def _observation(
    turn: Turn, span: str, parent: str | None, times: tuple[int, int]
) -> dict[str, Any]:
    start, end = times
    return {
        "id": span,
        "traceId": turn.trace,
        "startTime": iso_ms(start),
        "projectId": _PROJECT,
        "parentObservationId": parent,
        "environment": "production",
        "endTime": iso_ms(end),
        "level": "DEFAULT",
        "statusMessage": None,
        "version": None,
        "createdAt": iso_ms(end + 900_000),
        "updatedAt": iso_ms(end + 2_100_000),
        "latency": (end - start) // 1000,
    }


def _span(turn: Turn) -> dict[str, Any]:
    times = (turn.start_us - 5000, turn.end_us + 5000)
    return {
        **_observation(turn, turn.root, None, times),
        "type": "SPAN",
        "name": "draft-letter",
        "model": None,
        "modelParameters": None,
        "completionStartTime": None,
        "promptId": None,
        "promptName": None,
        "promptVersion": None,
        "usageDetails": {},
        "costDetails": {},
        "totalCost": 0,
        "metadata": {"resourceAttributes": {"service.name": turn.app.name}},
        "input": None,
        "output": None,
    }


def _generation(turn: Turn, call: Call) -> dict[str, Any]:
    price = MODELS[call.model]
    spent = {"input": call.tokens_in * price.input, "output": call.tokens_out * price.output}
    bare = _observation(turn, call.span, turn.root, (call.start_us, call.end_us))
    if call.failure:
        bare |= {"level": "ERROR", "statusMessage": call.failure.message}
    used = {"input": call.tokens_in, "output": call.tokens_out}
    used["total"] = call.tokens_in + call.tokens_out
    return {
        **bare,
        "type": "GENERATION",
        "name": "letter",
        "model": call.served or call.model,
        "internalModelId": None,
        "modelParameters": {"temperature": call.temperature, "max_tokens": 900},
        "completionStartTime": iso_ms(call.start_us + call.ttft_us) if call.ttft_us else None,
        "timeToFirstToken": call.ttft_us // 1000 if call.ttft_us else None,
        "promptId": None,
        "promptName": turn.app.prompt,
        "promptVersion": int(prompt_version(turn.app, call.start_us)[1:]),
        "usageDetails": {} if call.failure else used,
        "costDetails": {} if call.failure else {**spent, "total": sum(spent.values())},
        "totalCost": 0 if call.failure else sum(spent.values()),
        "metadata": {
            "resourceAttributes": {
                "service.name": turn.app.name,
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
            },
            "scope": {"name": "langfuse-sdk", "version": "5.0.4"},
        },
        "input": [shapes.message(msg) for msg in call.messages],
        "output": None if call.failure else shapes.message(call.output),
    }
