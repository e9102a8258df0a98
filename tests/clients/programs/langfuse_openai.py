from contextlib import contextmanager

from langfuse import get_client, propagate_attributes
from langfuse.openai import OpenAI  # noqa: F401 - in place of openai's own

langfuse = get_client()


@contextmanager
def on_behalf_of(user, session):
    """Around the work for one person."""
    with (
        langfuse.start_as_current_observation(name="POST /ask"),
        propagate_attributes(user_id=user, session_id=session),
    ):
        yield
    langfuse.flush()
