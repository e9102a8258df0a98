"""How a single model call comes out: ids, clocks, tokens, errors. Shared by every application."""

from __future__ import annotations

from drills.sample.call import FILTERED, RATE_LIMITED, TIMED_OUT, Call, Failure, Msg, tokens
from drills.sample.company import MODELS, SECOND
from drills.sample.dice import Dice


def response_id(provider: str, dice: Dice) -> str:
    """A response id in the provider's style."""
    if provider == "anthropic":
        return f"msg_01{dice.hex(20)}"
    return f"chatcmpl-{dice.hex(29)}"


def chat(
    dice: Dice, model: str, messages: tuple[Msg, ...], output: Msg, start_us: int, cut: bool = True
) -> Call:
    """A chat call that worked, or was cut off by the client when `cut` allows it.

    Args:
        dice: chance.
        model: requested model, a key of `MODELS`.
        messages: the whole prompt.
        output: what the model says.
        start_us: when it starts.
        cut: whether the client may hang up early.
    """
    price = MODELS[model]
    stream = dice.chance(0.55)
    tokens_in = sum(tokens(message.text) for message in messages) + 3 * len(messages)
    tokens_out = tokens(output.text) + 12 * len(output.uses)
    first = int(dice.spread(0.32, 0.4) * SECOND)
    last = first + int(tokens_out * dice.spread(0.011, 0.3) * SECOND) + 1000
    call = Call(
        operation="chat",
        span=dice.hex(16),
        start_us=start_us,
        end_us=start_us + last,
        provider=price.provider,
        model=model,
        served=price.served,
        messages=messages,
        output=output,
        response_id=response_id(price.provider, dice),
        ttft_us=first if stream else 0,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_cached=tokens_in // 128 * 128 if tokens_in > 512 and dice.chance(0.3) else 0,
        finish="tool_calls" if output.uses else "stop",
        stream=stream,
    )
    if cut and stream and not output.uses and dice.chance(0.02):
        abort(call, dice)
    return call


def abort(call: Call, dice: Dice) -> None:
    """Let the client hang up part way through the stream."""
    text = call.output.text
    kept = text[: max(4, int(len(text) * (0.15 + 0.6 * dice.random())))]
    call.output = Msg("assistant", kept)
    call.tokens_out = tokens(kept)
    call.aborted = True
    call.finish = "error"


def failed(call: Call, failure: Failure, dice: Dice) -> Call:
    """The same call as a failure that came before it and was retried."""
    start = call.start_us
    return Call(
        operation=call.operation,
        span=dice.hex(16),
        start_us=start,
        end_us=start + int(dice.spread(0.08, 0.5) * SECOND),
        provider=call.provider,
        model=call.model,
        served="",
        version=call.version,
        messages=call.messages,
        output=Msg("assistant"),
        finish="error",
        failure=failure,
        documents=call.documents,
        datasets=call.datasets,
        tools=call.tools,
    )


def maybe_failed(call: Call, dice: Dice) -> list[Call]:
    """The call, now and then after a failed first try that it then waits out."""
    luck = dice.random()
    if luck > 0.016:
        return [call]
    failure = RATE_LIMITED if luck < 0.010 else TIMED_OUT if luck < 0.014 else FILTERED
    first = failed(call, failure, dice)
    if failure is FILTERED:
        return [first]
    delay = first.end_us - first.start_us + int(dice.spread(1.5, 0.3) * SECOND)
    call.start_us += delay
    call.end_us += delay
    return [first, call]
