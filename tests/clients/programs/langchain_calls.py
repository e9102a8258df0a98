"""A support desk on LangChain, with either provider's models."""

import contextlib

import anthropic
import openai
import scenes
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def lookup_order(order: str, country: str = "") -> str:
    """Where an order is."""
    return f"{scenes.TOOL_RESULT} ({order}, {country})"


def work(telemetry):
    """Every way of asking, of both providers."""
    for maker in (ChatOpenAI, ChatAnthropic):
        with telemetry.on_behalf_of(scenes.USER, scenes.SESSION):
            model = maker(model=scenes.MODEL, max_retries=0, max_tokens=300, stream_usage=True)
            model.invoke(conversation(scenes.CHAT))
            for _ in model.stream(conversation(scenes.STREAM)):
                pass
            call_a_tool(model)
            busy = maker(model=scenes.BUSY, max_retries=0)
            with contextlib.suppress(openai.APIStatusError, anthropic.APIStatusError):
                busy.invoke(conversation(scenes.LIMITED))


def conversation(question):
    """Messages that begin a conversation."""
    return [SystemMessage(scenes.SYSTEM), HumanMessage(question)]


def call_a_tool(model):
    """A question that needs a look into the orders."""
    armed = model.bind_tools([lookup_order])
    messages = conversation(scenes.TOOL)
    wish = armed.invoke(messages)
    call = wish.tool_calls[0]
    result = lookup_order.invoke(call["args"])
    armed.invoke([*messages, wish, ToolMessage(result, tool_call_id=call["id"])])
