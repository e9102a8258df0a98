"""OpenAI Batch API: the file handed in and the file that came back, joined by ``custom_id``."""

from __future__ import annotations

import msgspec

from drills.sample.call import Turn
from drills.sample.writers import openai_shapes as shapes
from drills.sample.writers.files import Files, week

FORMAT = "openai.batch"


class BatchWriter:
    """Writes input and output lines side by side."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._number = 0

    def write(self, turn: Turn) -> str:
        """Write the turn's calls as lines of both files; the path is that of the output file."""
        base = f"mail-triage/batch-{week(turn.start_us)}"
        asked = self._files.sink(f"{base}.input.jsonl", FORMAT)
        given = self._files.sink(f"{base}.output.jsonl", FORMAT)
        for call in turn.calls:
            self._number += 1
            custom = f"mail-{self._number:06d}"
            body = {"model": call.model, "messages": [shapes.message(m) for m in call.messages]}
            line = {"custom_id": custom, "method": "POST", "url": "/v1/chat/completions"}
            asked.line(msgspec.json.encode({**line, "body": body | {"max_tokens": 300}}), 0, 0)
            answer = {
                "id": f"batch_req_{call.span}",
                "custom_id": custom,
                "response": {
                    "status_code": 200,
                    "request_id": f"req_{turn.trace}",
                    "body": shapes.completion(call),
                },
                "error": None,
            }
            given.line(msgspec.json.encode(answer))
        return f"{base}.output.jsonl"

    def close(self) -> None:
        """Nothing is held back."""
