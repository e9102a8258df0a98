"""A support desk on OpenAI's client, which knows nothing of the proxy that it talks to."""

import openai
import scenes


def work(telemetry):
    """One answer whole, one word by word."""
    client = openai.OpenAI(max_retries=0)
    more = telemetry.more_for(scenes.USER, scenes.SESSION)
    ask(client, scenes.CHAT, **more)
    pieces = ask(client, scenes.STREAM, stream=True, stream_options={"include_usage": True}, **more)
    for _ in pieces:
        pass


def ask(client, question, **more):
    """One request."""
    messages = [
        {"role": "system", "content": scenes.SYSTEM},
        {"role": "user", "content": question},
    ]
    return client.chat.completions.create(model=scenes.MODEL, messages=messages, **more)
