"""A support desk on OpenAI's client."""

import contextlib

import openai
import scenes


def work(telemetry):
    """Every way of asking."""
    client = getattr(telemetry, "OpenAI", openai.OpenAI)(max_retries=0)
    with telemetry.on_behalf_of(scenes.USER, scenes.SESSION):
        chat(client)
        stream(client)
        call_a_tool(client)
        respond(client)
        embed(client)
        give_up_in_the_middle(client)
        meet_errors(client)


def conversation(question):
    """Messages that begin a conversation."""
    return [
        {"role": "system", "content": scenes.SYSTEM},
        {"role": "user", "content": question},
    ]


def chat(client):
    """One question, one answer."""
    client.chat.completions.create(
        model=scenes.MODEL, messages=conversation(scenes.CHAT), temperature=0.2, max_tokens=300
    )


def stream(client):
    """The answer word by word."""
    pieces = client.chat.completions.create(
        model=scenes.MODEL,
        messages=conversation(scenes.STREAM),
        stream=True,
        stream_options={"include_usage": True},
    )
    for _ in pieces:
        pass


def call_a_tool(client):
    """A question that needs a look into the orders."""
    tools = [
        {
            "type": "function",
            "function": {"name": "lookup_order", "parameters": scenes.LOOKUP},
        }
    ]
    messages = conversation(scenes.TOOL)
    wish = client.chat.completions.create(model=scenes.MODEL, messages=messages, tools=tools)
    message = wish.choices[0].message
    messages += [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call.model_dump() for call in message.tool_calls],
        },
        {
            "role": "tool",
            "tool_call_id": message.tool_calls[0].id,
            "content": scenes.TOOL_RESULT,
        },
    ]
    client.chat.completions.create(model=scenes.MODEL, messages=messages, tools=tools)


def respond(client):
    """The same through the Responses API."""
    client.responses.create(model=scenes.MODEL, instructions=scenes.SYSTEM, input=scenes.RESPONSES)


def embed(client):
    """A vector for a sentence."""
    client.embeddings.create(model=scenes.EMBEDDER, input=scenes.EMBED, encoding_format="float")


def give_up_in_the_middle(client):
    """The reader goes away after a few words."""
    pieces = client.chat.completions.create(
        model=scenes.MODEL, messages=conversation(scenes.ABORTED), stream=True
    )
    for _ in range(7):
        next(iter(pieces))
    pieces.close()


def meet_errors(client):
    """Too many requests, then a fault of the provider."""
    for model, question in ((scenes.BUSY, scenes.LIMITED), (scenes.BROKEN, scenes.FAILED)):
        with contextlib.suppress(openai.APIStatusError):
            client.chat.completions.create(model=model, messages=conversation(question))
