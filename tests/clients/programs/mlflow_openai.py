from contextlib import contextmanager

import mlflow

mlflow.openai.autolog()


@contextmanager
def on_behalf_of(user, session):
    """Around the work for one person: what update_current_trace() says stays with MLflow."""
    with mlflow.start_span("POST /ask") as span:
        span.set_attributes({"enduser.id": user, "session.id": session})
        yield
