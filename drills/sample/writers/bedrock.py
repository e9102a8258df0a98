"""AWS Bedrock model invocation logs: gzipped JSON lines under the key layout of the S3 delivery.

Answers that were streamed are an array of the provider's events; bodies over 100 kB lie as objects
of their own in ``data/`` beside the log and are named by path.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drills.sample.call import Call, Turn
from drills.sample.writers import anthropic_pairs as anthropic
from drills.sample.writers.clock import iso_s
from drills.sample.writers.files import Files
from drills.sample.writers.ids import request_id

FORMAT = "bedrock"
_ACCOUNT = "111122223333"
_REGION = "eu-west-1"
_BUCKET = "larkmoor-model-logs"
_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
_LARGE = 100_000


class BedrockWriter:
    """Writes one invocation per line, one log file per day."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, turn: Turn) -> str:
        """Write every model call of the turn; tools run elsewhere."""
        day = iso_s(turn.start_us)[:10]
        folder = (
            f"bedrock/AWSLogs/{_ACCOUNT}/BedrockModelInvocationLogs/{_REGION}/"
            f"{day.replace('-', '/')}/23"
        )
        path = f"{folder}/{day.replace('-', '')}T235500000Z_7c1e0f42.json.gz"
        for call in turn.calls:
            if call.operation == "chat":
                line = self._invocation(turn, call, folder)
                self._files.sink(path, FORMAT).line(msgspec.json.encode(line))
        return path

    def close(self) -> None:
        """Nothing is held back."""

    def _invocation(self, turn: Turn, call: Call, folder: str) -> dict[str, Any]:
        streamed = call.stream and call.failure is None
        converse = not call.tools and not streamed and call.span[0] in "01234567"
        operation = "Converse" if converse else "InvokeModel"
        who = turn.who
        request = request_id(turn, call, "b")
        line: dict[str, Any] = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": iso_s(call.start_us),
            "accountId": _ACCOUNT,
            "identity": {
                "arn": f"arn:aws:sts::{_ACCOUNT}:assumed-role/{turn.app.name}/{who.actor}"
            },
            "region": _REGION,
            "requestId": request,
            "operation": f"{operation}WithResponseStream" if streamed else operation,
            "modelId": _MODEL,
            "inferenceRegion": _REGION,
            "requestMetadata": {"team": who.team or "none", "session_id": who.session},
        }
        if who.user:
            line["requestMetadata"]["user"] = who.user
        body = _converse_input(call) if converse else _invoke_input(call)
        line["input"] = self._input(body, call, f"{folder}/data/{request}_input.json.gz")
        line["output"] = _output(call, streamed=streamed, converse=converse)
        if call.failure:
            line["errorCode"] = call.failure.code
        return line

    def _input(self, body: dict[str, Any], call: Call, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {"inputContentType": "application/json"}
        encoded = msgspec.json.encode(body)
        if len(encoded) > _LARGE:
            self._files.sink(path, "bedrock.body").message(encoded, 0, 0)
            self._files.shut(path)
            key = path.removeprefix("bedrock/")
            found["inputBodyS3Path"] = f"s3://{_BUCKET}/{key}"
        else:
            found["inputBodyJson"] = msgspec.Raw(encoded)
        found["inputTokenCount"] = call.tokens_in - call.tokens_cached
        found["cacheReadInputTokenCount"] = call.tokens_cached
        return found


def _invoke_input(call: Call) -> dict[str, Any]:
    return {"anthropic_version": "bedrock-2023-05-31", **anthropic.request_body(call)}


def _converse_input(call: Call) -> dict[str, Any]:
    return {
        "messages": [
            {"role": msg.role, "content": [{"text": msg.text}]}
            for msg in call.messages
            if msg.role != "system"
        ],
        "system": [{"text": msg.text} for msg in call.messages if msg.role == "system"],
        "inferenceConfig": {"maxTokens": 2048, "temperature": call.temperature},
    }


def _output(call: Call, *, streamed: bool, converse: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"outputContentType": "application/json"}
    if call.failure:
        return found
    latency = (call.end_us - call.start_us) // 1000
    body: Any
    if converse:
        body = {
            "output": {"message": {"role": "assistant", "content": [{"text": call.output.text}]}},
            "stopReason": "end_turn",
            "metrics": {"latencyMs": latency},
            "usage": {
                "inputTokens": call.tokens_in,
                "outputTokens": call.tokens_out,
                "totalTokens": call.tokens_in + call.tokens_out,
            },
        }
    elif streamed:
        body = anthropic.events(call)
        if not call.aborted:
            body[-1]["amazon-bedrock-invocationMetrics"] = {
                "inputTokenCount": call.tokens_in,
                "outputTokenCount": call.tokens_out,
                "invocationLatency": latency,
                "firstByteLatency": call.ttft_us // 1000,
            }
    else:
        body = anthropic.response_body(call)
    return {**found, "outputBodyJson": body, "outputTokenCount": call.tokens_out}
