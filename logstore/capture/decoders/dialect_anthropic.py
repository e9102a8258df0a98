"""Anthropic's SDK and platform, which trace themselves (scope com.anthropic.sdk.python).

They use the current GenAI attributes and add their own; the answer of a raw ``stream=True`` call is
not captured.
"""

from __future__ import annotations

from logstore.capture.decoders.otlp_found import Dialect, Rule, text, texts

DIALECT = Dialect(
    name="anthropic",
    rules={
        "anthropic.message.stop_reason": Rule("finish_reasons", texts),
        "anthropic.error.message": Rule("error_message", text),
    },
)
