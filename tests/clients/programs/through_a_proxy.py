def more_for(user, session):
    """Arguments of OpenAI's client that tell LiteLLM's proxy for whom a call is made."""
    return {"user": user, "extra_body": {"metadata": {"session_id": session}}}
