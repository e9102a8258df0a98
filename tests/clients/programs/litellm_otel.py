import litellm

litellm.callbacks = ["otel"]


def more_for(user, session):
    """Arguments that say for whom a call is made; a new dict for every call."""
    return {"user": user, "metadata": {"session_id": session}}
