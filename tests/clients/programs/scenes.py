"""What the programs ask. The tests know the same words, so they can look for them."""

SYSTEM = "You are the support desk of Contoso. Odpowiadaj grzecznie. 礼貌に答えてください。"
USER = "maria-4711"
SESSION = "session-0815"
MODEL = "contoso-large"
EMBEDDER = "contoso-embed"
BUSY = "busy-large"
BROKEN = "broken-large"

CHAT = "needle-chat: Grüße, wo ist meine Bestellung? 我的订单在哪里? أين طلبي؟ 🚀👩‍👩‍👧"
STREAM = "needle-stream: Können Sie das bitte ausführlich erklären? 🌍"
TOOL = "needle-tool: When will order A-4711 arrive?"
TOOL_RESULT = "needle-result: on the way, Thursday 🚚"
RESPONSES = "needle-responses: ¿Dónde está mi pedido?"
ABORTED = "needle-aborted: one two three four five six seven eight nine ten"
EMBED = "needle-embed: a sentence to be found again"
LIMITED = "needle-limited: are you there?"
FAILED = "needle-failed: and now?"

LOOKUP = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "country": {"type": "string"}},
    "required": ["order"],
}
