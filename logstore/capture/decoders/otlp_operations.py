"""What kind of act a span records, in the words of gen_ai.operation.name."""

from __future__ import annotations

MODEL_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""Operations that call a model and so have a model, tokens and content."""

ANSWERS = MODEL_CALLS - {"embeddings"}
"""Operations that end in a model's answer."""

_WORDS = {
    # OpenInference span kinds, MLflow span types
    "LLM": "chat",
    "CHAT_MODEL": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "RETRIEVER": "retrieval",
    "AGENT": "invoke_agent",
    "CHAIN": "invoke_workflow",
    "GUARDRAIL": "run_guardrail",
    "EVALUATOR": "evaluate",
    "RERANKER": "rerank",
    "PROMPT": "render_prompt",
    "UNKNOWN": "span",
    # Langfuse observation types
    "generation": "chat",
    "embedding": "embeddings",
    "tool": "execute_tool",
    "retriever": "retrieval",
    "agent": "invoke_agent",
    "chain": "invoke_workflow",
    "guardrail": "run_guardrail",
    "evaluator": "evaluate",
    # Traceloop request types and span kinds
    "completion": "text_completion",
    "workflow": "invoke_workflow",
    "task": "invoke_workflow",
    # LiteLLM call types
    "acompletion": "chat",
    "atext_completion": "text_completion",
    "aembedding": "embeddings",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "arerank": "rerank",
}


def operation(value: object) -> str | None:
    """The operation a source's word means; an unknown word stands for itself."""
    return _WORDS.get(value, value) if isinstance(value, str) and value else None


def traced_type(value: object) -> str | None:
    """MLflow's span type, which is quoted as JSON."""
    return operation(value.strip('"')) if isinstance(value, str) else None
