"""One writer per log format: each turns neutral turns into the bytes a real client leaves."""

from __future__ import annotations

from drills.sample.writers.aircon_jsonl import AirconWriter
from drills.sample.writers.anthropic_pairs import AnthropicWriter
from drills.sample.writers.apim import ApimWriter
from drills.sample.writers.batch import BatchWriter
from drills.sample.writers.bedrock import BedrockWriter
from drills.sample.writers.files import Files, Writer
from drills.sample.writers.langfuse import LangfuseWriter
from drills.sample.writers.litellm import LitellmWriter
from drills.sample.writers.openai_pairs import OpenaiWriter
from drills.sample.writers.otlp_json import OtlpJsonWriter
from drills.sample.writers.otlp_protobuf import OtlpProtobufWriter


def open_writers(files: Files) -> dict[str, Writer]:
    """A writer for every source named by `drills.sample.company.App.source`."""
    return {
        "otlp-json": OtlpJsonWriter(files),
        "otlp-protobuf": OtlpProtobufWriter(files),
        "litellm": LitellmWriter(files),
        "bedrock": BedrockWriter(files),
        "langfuse": LangfuseWriter(files),
        "apim": ApimWriter(files),
        "openai": OpenaiWriter(files),
        "anthropic": AnthropicWriter(files),
        "batch": BatchWriter(files),
        "aircon": AirconWriter(files),
    }
