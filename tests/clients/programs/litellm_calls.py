"""A support desk on LiteLLM, through which any provider is asked."""

import asyncio
import contextlib

import litellm
import openai
import scenes


def work(telemetry):
    """Every way of asking."""
    asyncio.run(everything(telemetry))


async def everything(telemetry):
    """All in one event loop, as in a proxy."""
    getattr(telemetry, "begin", lambda: None)()

    def more():
        return telemetry.more_for(scenes.USER, scenes.SESSION)

    await litellm.acompletion(
        model=f"openai/{scenes.MODEL}",
        messages=conversation(scenes.CHAT),
        temperature=0.2,
        **more(),
    )
    pieces = await litellm.acompletion(
        model=f"openai/{scenes.MODEL}",
        messages=conversation(scenes.STREAM),
        stream=True,
        stream_options={"include_usage": True},
        **more(),
    )
    async for _ in pieces:
        pass
    await litellm.acompletion(
        model=f"anthropic/{scenes.MODEL}",
        messages=conversation(scenes.CHAT),
        max_tokens=300,
        **more(),
    )
    await call_a_tool(more)
    await litellm.aembedding(model=f"openai/{scenes.EMBEDDER}", input=[scenes.EMBED], **more())
    with contextlib.suppress(openai.APIError):
        await litellm.acompletion(
            model=f"openai/{scenes.BUSY}",
            messages=conversation(scenes.LIMITED),
            num_retries=0,
            max_retries=0,
            **more(),
        )
    await asyncio.sleep(6)  # the callbacks work in the background


def conversation(question):
    """Messages that begin a conversation."""
    return [
        {"role": "system", "content": scenes.SYSTEM},
        {"role": "user", "content": question},
    ]


async def call_a_tool(more):
    """A question that needs a look into the orders."""
    tools = [
        {
            "type": "function",
            "function": {"name": "lookup_order", "parameters": scenes.LOOKUP},
        }
    ]
    messages = conversation(scenes.TOOL)
    model = f"openai/{scenes.MODEL}"
    wish = await litellm.acompletion(model=model, messages=messages, tools=tools, **more())
    message = wish.choices[0].message
    messages += [
        message.model_dump(exclude_none=True),
        {
            "role": "tool",
            "tool_call_id": message.tool_calls[0].id,
            "content": scenes.TOOL_RESULT,
        },
    ]
    await litellm.acompletion(model=model, messages=messages, tools=tools, **more())
