"""The proxy's configuration of docs/capture/litellm.md, applied by the code that the proxy uses."""

import os
from pathlib import Path

import litellm
import yaml


def begin():
    """What the proxy does with its configuration once its event loop runs."""
    config = yaml.safe_load(Path(os.environ["LITELLM_CONFIG"]).read_text("utf-8"))
    litellm.callback_settings = config["callback_settings"]
    for name in config["litellm_settings"]["callbacks"]:
        litellm.logging_callback_manager.add_litellm_callback(name)


def more_for(user, session):
    """Arguments that say for whom a call is made; a new dict for every call."""
    return {"user": user, "metadata": {"session_id": session}}
