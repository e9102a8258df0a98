"""The world: Larkmoor Energy, a power supplier that does not exist, and the AI it runs.

Facts only: applications, models and their roll-out, knowledge base, datasets, prices, clocks.
Everything is invented. Domains end in ``.example`` or ``.test``, addresses lie in documentation
ranges, telephone numbers in ranges kept for fiction, and IBANs carry the check digits 00, which
no bank can issue.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime

import msgspec

NAME = "Larkmoor Energy"
DOMAIN = "larkmoor.example"
HELD_ACCOUNT = "DE00 1002 0030 0042 4200 10"
"""The account customers really pay to."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def at(day: int, hour: int = 0, minute: int = 0) -> int:
    """A moment in November 2026 (UTC) as microseconds since 1970."""
    return int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()) * SECOND


START = at(2)
END = at(16)
DAYS = 14


class App(msgspec.Struct, frozen=True):
    """One application.

    Attributes:
        name: service name, as every source calls it.
        release: its release.
        source: the log format that sees it, a key of `drills.sample.writers`.
        prompt: prompt template name, empty where the team does not version prompts.
        route: path of its own entry point.
    """

    name: str
    release: str
    source: str
    prompt: str = ""
    route: str = "/"


APPS = {
    app.name: app
    for app in (
        App("wren-web", "5.12.0", "otlp-json", "wren-support", "/api/chat"),
        App("wren-messaging", "2.31.4", "litellm", "wren-support", "/hooks/message"),
        App("insight-api", "1.9.2", "litellm", "", "/v1/chat/completions"),
        App("heron-search", "0.18.0", "otlp-protobuf", "heron-answer", "/search"),
        App("forge-agent", "3.4.1", "otlp-json", "forge-task", "/tasks"),
        App("contract-reader", "1.2.0", "bedrock"),
        App("quill-letters", "0.7.3", "langfuse", "quill-letter"),
        App("ledger-desk", "2.0.1", "apim"),
        App("campaign-studio", "1.1.0", "openai"),
        App("people-desk", "1.0.4", "anthropic"),
        App("mail-triage", "0.4.0", "batch"),
        App("field-notes", "0.9.0", "aircon", "field-summary"),
    )
}


class Price(msgspec.Struct, frozen=True):
    """Dollars per token, and the provider and served model behind a requested model name."""

    provider: str
    served: str
    input: float
    output: float


MODELS = {
    "larkmoor-support": Price("openai", "larkmoor-support", 0.4e-6, 1.2e-6),
    "gpt-4o-mini": Price("openai", "gpt-4o-mini-2024-07-18", 0.15e-6, 0.6e-6),
    "gpt-4o": Price("openai", "gpt-4o-2024-08-06", 2.5e-6, 10e-6),
    "claude-sonnet-4-5": Price("anthropic", "claude-sonnet-4-5-20250929", 3e-6, 15e-6),
    "text-embedding-3-small": Price("openai", "text-embedding-3-small", 0.02e-6, 0.0),
}

FINGERPRINTS = {"1.4.2": "fp_lk_8c21e0", "1.5.0": "fp_lk_b7740d", "1.5.1": "fp_lk_d1903a"}

DATASETS = {
    "1.4.2": ("ds-support-base@r12",),
    "1.5.0": ("ds-support-base@r14", "ds-tone-2026@r2"),
    "1.5.1": ("ds-support-base@r14", "ds-tone-2026@r2", "ds-billing-dialogues@r7"),
}
"""What each version of the support model was tuned on (its model card, sent as metadata)."""

# (from, share in percent of the newer version, older, newer)
_ROLLOUT: dict[str, tuple[tuple[int, int, str, str], ...]] = {
    "wren-web": (
        (START, 0, "1.4.2", "1.5.0"),
        (at(3, 8), 10, "1.4.2", "1.5.0"),
        (at(4, 8), 50, "1.4.2", "1.5.0"),
        (at(5, 8), 100, "1.4.2", "1.5.0"),
        (at(9, 9), 10, "1.5.0", "1.5.1"),
        (at(10, 9), 40, "1.5.0", "1.5.1"),
        (at(11, 9), 100, "1.5.0", "1.5.1"),
    ),
    "wren-messaging": (
        (START, 0, "1.4.2", "1.5.0"),
        (at(4, 9), 20, "1.4.2", "1.5.0"),
        (at(6, 9), 100, "1.4.2", "1.5.0"),
        (at(10, 9), 10, "1.5.0", "1.5.1"),
        (at(12, 9), 100, "1.5.0", "1.5.1"),
    ),
    "insight-api": ((START, 0, "1.4.2", "1.5.0"), (at(6, 12), 100, "1.4.2", "1.5.0")),
}
_ROLLOUT_TIMES = {app: tuple(step[0] for step in steps) for app, steps in _ROLLOUT.items()}


def support_version(app: str, when_us: int, bucket: int) -> str:
    """The support model version that serves `app` at that time.

    Args:
        app: application name.
        when_us: microseconds since 1970.
        bucket: 0 to 99, constant for a user, so that a canary is sticky.
    """
    step = _ROLLOUT[app][max(0, bisect_right(_ROLLOUT_TIMES[app], when_us) - 1)]
    return step[3] if bucket < step[1] else step[2]


def prompt_version(app: App, when_us: int) -> str:
    """The prompt template version in use, empty where the application has none."""
    if not app.prompt:
        return ""
    return "v31" if when_us < at(6, 11) else "v32" if when_us < at(12, 13) else "v33"
