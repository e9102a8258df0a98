"""OpenTelemetry's SDK writing straight to a log: stored, or said to be not."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExportResult,
)
from support.memory_log import MemoryLog
from support.stores import TestStore

from logstore.capture.exporting import LogRecordExporter, SpanExporter
from logstore.capture.registry import decode
from logstore.formats.body import Body

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Ho"}]}]',
}
RESOURCE = Resource({"service.name": "support"})


def test_spans_are_on_disk_when_the_exporter_says_so(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        exporter = SpanExporter(log)
        provider = TracerProvider(resource=RESOURCE)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("app")
        with (
            tracer.start_as_current_span("request", attributes={"enduser.id": "maria"}),
            tracer.start_as_current_span("chat gpt-5", attributes=CALL),
        ):
            pass
        provider.shutdown()
        reader = store.reader()
        found = [
            (leaf, opened)
            for _, leaf, opened in reader.contents(0, reader.size)
            if leaf.source.startswith("otel/")
        ]
    (call, body), (root, _) = found
    assert isinstance(body, Body)
    read = decode(body.raw, body.format)
    assert read.output[0].parts[0].text == "Ho"
    assert read.application == "support"
    assert (call.kind, call.seq, root.seq) == ("interaction", 0, 1)


def test_who_the_root_span_names_is_known_for_the_calls_of_its_trace() -> None:
    log = MemoryLog()
    exporter = SpanExporter(log, source="otel/support")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("app")
    with (
        tracer.start_as_current_span("request", attributes={"enduser.id": "maria"}),
        tracer.start_as_current_span("chat gpt-5", attributes=CALL),
    ):
        pass
    assert provider.force_flush()
    provider.shutdown()
    (call,) = log.of_kind("interaction")
    assert call.subjects == ("maria",)
    assert call.source == "otel/support"


def test_a_log_that_fails_is_a_failed_export(caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()
    exporter = SpanExporter(log)
    spans = made_spans(3)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    log.break_after = 4
    assert exporter.export(spans) is SpanExportResult.FAILURE
    log.break_after = None
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert [record.seq for record in log.records] == [0, 1, 2, 3, 6, 7, 8]  # 4 and 5 are missed
    assert "was not stored: the disk is gone" in caplog.text
    assert exporter.force_flush()
    exporter.shutdown()
    assert exporter.export(spans) is SpanExportResult.FAILURE


def test_a_person_whose_keys_are_gone_is_refused_and_said(caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()
    log.destroyed = {"dave"}
    exporter = SpanExporter(log)
    assert exporter.export(made_spans(1, {"enduser.id": "dave"})) is SpanExportResult.FAILURE
    assert "refused: KeyDestroyed" in caplog.text
    assert "dave" not in caplog.text


def test_log_records_are_stored_likewise() -> None:
    log = MemoryLog()
    exporter = LogRecordExporter(log)
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("app").emit(
        event_name="gen_ai.client.inference.operation.details", attributes=CALL, body="x"
    )
    provider.shutdown()
    (record,) = log.of_kind("interaction")
    assert record.clear["gen_ai.request.model"] == "gpt-5"
    assert exporter.force_flush()
    assert exporter.export([]) is LogRecordExportResult.FAILURE


def test_without_the_sdk_the_reader_is_told_what_to_install() -> None:
    code = """
        import sys
        sys.modules["opentelemetry.sdk"] = None
        try:
            import logstore.capture.exporting
        except ImportError as error:
            assert "aircon-console[otel]" in str(error), error
        else:
            raise SystemExit("imported")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def made_spans(count: int, attributes: dict[str, str] | None = None) -> list[ReadableSpan]:
    tracer = TracerProvider().get_tracer("app")
    made = []
    for _ in range(count):
        span = tracer.start_span("chat gpt-5", attributes={**CALL, **(attributes or {})})
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made
