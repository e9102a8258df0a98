"""One model call, tool call or retrieval, free of any log format: what every writer reads."""

from __future__ import annotations

import msgspec

from drills.sample.company import App


class ToolUse(msgspec.Struct, frozen=True):
    """A tool the model asked for: call id, tool name, arguments as JSON text."""

    id: str
    name: str
    arguments: str


class Msg(msgspec.Struct, frozen=True):
    """One message: role system, user, assistant or tool.

    Attributes:
        role: who speaks.
        text: what is said; a tool's result for role tool.
        uses: tools the assistant asks for.
        use_id: which tool call a tool message answers.
    """

    role: str
    text: str = ""
    uses: tuple[ToolUse, ...] = ()
    use_id: str = ""


class Failure(msgspec.Struct, frozen=True):
    """Why a call failed: HTTP status, provider code, exception class, message."""

    status: int
    code: str
    error_class: str
    message: str


RATE_LIMITED = Failure(
    429,
    "rate_limit_exceeded",
    "RateLimitError",
    "Rate limit reached for larkmoor-support on tokens per min (TPM): Limit 600000.",
)
TIMED_OUT = Failure(408, "timeout", "APITimeoutError", "Request timed out.")
OVERLOADED = Failure(529, "overloaded_error", "OverloadedError", "Overloaded")
FILTERED = Failure(
    400,
    "content_filter",
    "BadRequestError",
    "The response was filtered due to the prompt triggering the content management policy.",
)
THROTTLED = Failure(
    429, "ThrottlingException", "ThrottlingException", "Too many tokens, please wait."
)


class Label(msgspec.Struct, frozen=True):
    """What the truth file says of a call: its story and its role there."""

    story: str
    role: str


class Call(msgspec.Struct):
    """One interaction.

    Attributes:
        operation: chat, embeddings, retrieval or execute_tool (OpenTelemetry GenAI words).
        span: span id, 16 hexadecimal digits.
        start_us: start, microseconds since 1970 UTC.
        end_us: end.
        ttft_us: time to the first chunk, 0 when not streamed.
        provider: who serves the model.
        model: model asked for.
        served: model that answered.
        version: deployed version of an own model, or empty.
        response_id: the provider's id of the answer, or empty.
        messages: the whole prompt, system message first.
        output: the answer.
        tokens_in: prompt tokens.
        tokens_out: answer tokens.
        tokens_cached: prompt tokens the provider had cached.
        finish: stop, tool_calls, length or error.
        temperature: sampling temperature.
        stream: answer was streamed.
        aborted: the client hung up before the end.
        failure: why it failed.
        documents: ids of retrieved pages.
        datasets: what the served version was tuned on.
        tool: the tool run, for execute_tool.
        cache_key: response cache key at the gateway, or empty.
        cache_hit: answered from that cache.
        extras: further request parameters.
        tools: names of tools offered.
        labels: what the truth file says.
    """

    operation: str
    span: str
    start_us: int
    end_us: int
    provider: str
    model: str
    served: str
    messages: tuple[Msg, ...]
    output: Msg
    ttft_us: int = 0
    version: str = ""
    response_id: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    finish: str = "stop"
    temperature: float = 0.2
    stream: bool = False
    aborted: bool = False
    failure: Failure | None = None
    documents: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tool: ToolUse | None = None
    cache_key: str = ""
    cache_hit: bool = False
    extras: dict[str, object] = {}
    tools: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()


class Who(msgspec.Struct, frozen=True):
    """Who and what stood behind a turn, as far as the systems know it.

    Attributes:
        user: identity the application knows (customer id, staff e-mail, nickname), or empty.
        session: session or conversation id.
        address: network address of the client.
        agent: user agent.
        key: API key alias at the gateway, or empty.
        team: team or partner the key belongs to.
        actor: platform identity (agent or role session name), or empty.
    """

    user: str
    session: str
    address: str
    agent: str = "Mozilla/5.0"
    key: str = ""
    team: str = ""
    actor: str = ""


class Turn(msgspec.Struct):
    """One request to an application and the calls it caused, in order: one trace.

    Attributes:
        app: the application.
        who: identity of the request.
        trace: trace id, 32 hexadecimal digits.
        root: span id of the application's own span.
        calls: what was called.
        language: language spoken.
        also: further sources that saw the same calls.
    """

    app: App
    who: Who
    trace: str
    root: str
    calls: list[Call]
    language: str = "en"
    also: tuple[str, ...] = ()

    @property
    def start_us(self) -> int:
        """When the first call began."""
        return self.calls[0].start_us

    @property
    def end_us(self) -> int:
        """When the last call ended."""
        return self.calls[-1].end_us


def tokens(text: str) -> int:
    """A plausible token count of `text`."""
    size = len(text)
    return (size >> 2) + 1 if text.isascii() else size * 2 // 3 + 1
