"""What LiteLLM's proxy writes otherwise than its library, as seen with 1.110.2."""

from __future__ import annotations

import json

import pytest

from logstore.capture.decoders import litellm
from logstore.capture.decoders.otlp_identity import identity_of
from logstore.capture.interaction import Interaction


def payload(**members: object) -> Interaction:
    """A payload of one answered call."""
    whole = {
        "litellm_call_id": "c-1",
        "call_type": "acompletion",
        "custom_llm_provider": "openai",
        "messages": [{"role": "user", "content": "hello"}],
        "response": {"id": "chatcmpl-1", "model": "house-model", "choices": []},
        **members,
    }
    return litellm.decode(json.dumps(whole).encode())


@pytest.mark.parametrize(
    ("model", "group", "asked"),
    [
        ("openai/gpt-5", "house-model", "gpt-5"),
        ("openai/openai/gpt-oss", "house-model", "openai/gpt-oss"),
        ("openai/gpt-oss", "", "openai/gpt-oss"),  # the library has taken the provider off
        ("anthropic/claude", "house-model", "anthropic/claude"),  # not this call's provider
        (None, "house-model", "house-model"),
    ],
)
def test_the_model_asked_for_is_the_providers_name_of_it(
    model: str | None, group: str, asked: str
) -> None:
    assert payload(model=model, model_group=group).request_model == asked


def test_a_model_that_the_proxy_named_is_no_model_that_answered() -> None:
    behind = payload(model="openai/gpt-5", model_group="house-model")
    assert "response-model-by-gateway" in behind.gaps
    assert "response-model-by-gateway" not in payload(model="gpt-5", model_group="").gaps


def test_the_owner_of_the_master_key_is_nobody() -> None:
    masters = payload(metadata={"user_api_key_user_id": "default_user_id"})
    assert masters.subjects == []
    assert "no-user" in masters.gaps
    owned = payload(metadata={"user_api_key_user_id": "maria-4711"})
    assert [person.id for person in owned.subjects] == ["maria-4711"]


def test_nor_is_it_somebody_in_a_trace() -> None:
    key = "metadata.user_api_key_user_id"
    assert identity_of([(key, "default_user_id")]) is None
    found = identity_of([(key, "default_user_id"), ("enduser.id", "maria-4711")])
    assert found is not None
    assert [person.id for person in found.subjects] == ["maria-4711"]
