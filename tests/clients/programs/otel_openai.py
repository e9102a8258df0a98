from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(spans)
events = LoggerProvider()  # needed where content goes into events
events.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(events)
OpenAIInstrumentor().instrument()


@contextmanager
def on_behalf_of(user, session):
    """Around the work for one person: the instrumentation itself never says who asked."""
    who = {"enduser.id": user, "session.id": session}
    with trace.get_tracer("support").start_as_current_span("POST /ask", attributes=who):
        yield
