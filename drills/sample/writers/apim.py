"""Azure API Management, table ApiManagementGatewayLlmLog: a row of counts, then rows of messages.

The service splits messages longer than 32 kB over rows; Larkmoor's export splits far sooner, so
that the joining is exercised by short texts too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Turn
from drills.sample.writers import openai_shapes as shapes
from drills.sample.writers.clock import iso_ms
from drills.sample.writers.files import Files, Sink, week
from drills.sample.writers.ids import request_id

FORMAT = "apim.llm"
_PIECE = 160


class ApimWriter:
    """Writes the rows of each call one after another."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, turn: Turn) -> str:
        """Write every call of the turn."""
        path = f"ledger-desk/ApiManagementGatewayLlmLog-{week(turn.start_us)}.jsonl"
        sink = self._files.sink(path, FORMAT)
        for call in turn.calls:
            _write(sink, turn, call)
        return path

    def close(self) -> None:
        """Nothing is held back."""


def _write(sink: Sink, turn: Turn, call: Call) -> None:
    asked = msgspec.json.encode([shapes.message(msg) for msg in call.messages]).decode()
    given = msgspec.json.encode([shapes.message(call.output)]).decode()
    rows: list[dict[str, Any]] = [
        {
            "ModelName": call.served,
            "PromptTokens": call.tokens_in,
            "CompletionTokens": call.tokens_out,
            "TotalTokens": call.tokens_in + call.tokens_out,
        }
    ]
    rows += [{"RequestMessages": piece} for piece in _pieces(asked)]
    if call.failure is None:
        rows += [{"ResponseMessages": piece} for piece in _pieces(given)]
    common = _common(turn, call)
    for number, row in enumerate(rows):
        data = msgspec.json.encode({**common, "SequenceNumber": number, **row})
        first = number == 0
        sink.line(data, int(first), int(first))


def _common(turn: Turn, call: Call) -> dict[str, Any]:
    return {
        "TimeGenerated": iso_ms(call.start_us),
        "CorrelationId": request_id(turn, call, "8"),
        "DeploymentName": f"{call.model}-accounting",
        "OperationName": "ChatCompletions_Create",
        "ApiVersion": "2024-10-21",
        "Region": "West Europe",
        "IsStreamCompletion": call.stream,
        "RequestId": call.response_id,
        "ApimSubscriptionId": turn.app.name,
        "CallerIpAddress": turn.who.address,
        "Type": "ApiManagementGatewayLlmLog",
    }


def _pieces(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
