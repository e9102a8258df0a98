"""The buried stories: what really happened at Larkmoor, one module each, with its look-alikes.

A story is planned before anything is written, so its number of calls is known; its sessions are
made one by one, in order of time.
"""

from __future__ import annotations

from drills.sample.people import People
from drills.sample.stories import (
    backdoor,
    erasure,
    harvest,
    image_leak,
    night_agent,
    shared_cache,
)
from drills.sample.stories.plot import Story

_PLANS = (
    image_leak.plan,
    backdoor.plan,
    harvest.plan,
    night_agent.plan,
    shared_cache.plan,
    erasure.plan,
)


def plan_all(seed: int, people: People, records: int) -> list[Story]:
    """Every story, sized for a sample of `records`; none when the sample is too small for them."""
    stories = [plan(seed, people, records) for plan in _PLANS]
    return stories if 2 * sum(story.total for story in stories) <= records else []
