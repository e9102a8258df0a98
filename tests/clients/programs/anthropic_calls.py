"""A support desk on Anthropic's client."""

import contextlib

import anthropic
import scenes


def work(telemetry):
    """Every way of asking."""
    client = anthropic.Anthropic(max_retries=0)
    with telemetry.on_behalf_of(scenes.USER, scenes.SESSION):
        chat(client)
        stream(client)
        call_a_tool(client)
        give_up_in_the_middle(client)
        meet_errors(client)


def ask(client, question, **more):
    """One request."""
    messages = [{"role": "user", "content": question}]
    more = {"model": scenes.MODEL, "max_tokens": 300, "messages": messages} | more
    return client.messages.create(system=scenes.SYSTEM, **more)


def chat(client):
    """One question, one answer."""
    ask(client, scenes.CHAT)


def stream(client):
    """The answer word by word."""
    with client.messages.stream(
        model=scenes.MODEL,
        max_tokens=300,
        system=scenes.SYSTEM,
        messages=[{"role": "user", "content": scenes.STREAM}],
    ) as pieces:
        for _ in pieces.text_stream:
            pass


def call_a_tool(client):
    """A question that needs a look into the orders."""
    tools = [{"name": "lookup_order", "input_schema": scenes.LOOKUP}]
    wish = ask(client, scenes.TOOL, tools=tools)
    call = next(block for block in wish.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": scenes.TOOL_RESULT}
    messages = [
        {"role": "user", "content": scenes.TOOL},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
            ],
        },
        {"role": "user", "content": [result]},
    ]
    ask(client, scenes.TOOL, tools=tools, messages=messages)


def give_up_in_the_middle(client):
    """The reader goes away after a few words."""
    pieces = ask(client, scenes.ABORTED, stream=True)
    for _ in range(7):
        next(iter(pieces))
    pieces.close()


def meet_errors(client):
    """Too many requests, then a fault of the provider."""
    for model, question in ((scenes.BUSY, scenes.LIMITED), (scenes.BROKEN, scenes.FAILED)):
        with contextlib.suppress(anthropic.APIStatusError):
            ask(client, question, model=model)
