"""A synthetic store for the console: any number of records, made when looked at.

Everything follows from the index and a fixed clock, so two runs show the same. Modes: locked,
slow (with cancel), failing, growing, hostile.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed

import msgspec
import numpy as np

from console.tui.session import Extent, Verdict
from logstore.capture.interaction import Interaction, Message, Part, Subject
from logstore.errors import AirconError, PassphraseWrong, QueryRefused
from logstore.formats.body import Body
from logstore.formats.leaf import BodyRef, Leaf, encode
from logstore.query.filters import Filter
from logstore.query.rows import Detail, Histogram, Row, SameCall, Selection

START_US = 1_762_000_000_000_000
STEP_US = 1_200_000
USERS = ("maria.keller", "omar@example.com", "li.wei", "svc-batch", "Zoë", "王小明", "ليلى")
MODELS = (("gpt-5", "gpt-5-2026-08-07"), ("claude-sonnet-5", None), ("qwen3-max", "3.1"))
ASKED = (
    "Where is my order 4711? It should have come on Monday.",
    "请把这份合同的要点总结成三条,并指出风险。",
    "اكتب ردًا مهذبًا على هذه الشكوى من فضلك",
    "Refactor this function 🙏🏽 and explain the ⚠️ warning 👩‍💻",
    "한국어로 요약해 주세요",
    "What is our refund policy for opened goods?",
)
ANSWERED = (
    "Your order 4711 left our warehouse on Friday and arrives tomorrow.",
    "一、付款期限为三十天;二、违约金偏高;三、争议由仲裁解决。",
    "شكرًا لتواصلكم معنا، نعتذر عن الإزعاج",
    "Done: the loop is now a comprehension. 👍",
    "요약입니다.",
    "Opened goods can be returned within 14 days for store credit.",
)

HOSTILE = (
    "\x1b]0;PWNED\x07 \x1b[2J \x9b31m \u202eevil\u202c NUL\x00end "
    "\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065 "
    "[@click=app.bell]click[/] [/nope] [red]VERIFIED[/red] [link=https://e.example]x[/link]\r\n\t="
)
"""One of everything that a terminal, Textual's markup or a spreadsheet would obey."""


@dataclass
class FakeExplorer:
    """`Explorer` over records that do not exist until asked for."""

    size: int
    locked: bool = False
    hostile: bool = False
    select_waits: threading.Event | None = None
    """While set to an unset event, every `select` waits for it (or for `cancel`)."""
    rows_wait: threading.Event | None = None
    """While set to an unset event, every page of rows waits for it."""
    fails: str = ""
    """The method that fails."""
    calls: list[tuple[object, ...]] = field(default_factory=list)
    _visible: int = 0
    _told: int = 0
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._visible = self.size

    def refresh(self) -> int:
        self._may_fail("refresh")
        self._visible = self.size
        return self.size

    def select(self, wanted: Filter, /) -> Selection:
        self.calls.append(("select", wanted))
        self._may_fail("select")
        if self.select_waits is not None:
            self._cancelled.clear()
            while not self.select_waits.wait(0.01):
                if self._cancelled.is_set():
                    raise QueryRefused("The query was stopped.")
        return Selection(wanted, self._visible, self._matching(wanted, 0))

    def extend(self, selection: Selection, /) -> Selection:
        fresh = self._matching(selection.filter, selection.size)
        if isinstance(selection.indexes, range):
            return changed(selection, size=self._visible, indexes=range(self._visible))
        both = np.concatenate([selection.indexes, np.asarray(fresh, dtype=np.int64)])
        return changed(selection, size=self._visible, indexes=both)

    def rows(self, selection: Selection, start: int, count: int, /) -> list[Row]:
        self.calls.append(("rows", start, count))
        self._may_fail("rows")
        if self.rows_wait is not None:
            self.rows_wait.wait(30)
        return [self.row(index) for index in selection.slice(start, count)]

    def histogram(self, selection: Selection, buckets: int, /) -> Histogram:
        self._may_fail("histogram")
        index = np.asarray(selection.indexes)
        again = index[(index % 10 == 4) & np.isin(index - 1, index)]  # see `detail`
        errors = [int(at % 23 == 11) for at in range(buckets)]
        end_us = START_US + self._visible * STEP_US
        records = _spread(len(index), buckets)
        calls = _spread(len(index) - len(again), buckets) if self._told else None
        settled = self.locked or self._told == self._visible
        return Histogram(START_US, end_us, records, errors, calls, settled)

    def find_calls(self) -> None:
        self.calls.append(("find_calls",))
        self._may_fail("find_calls")
        self._told = 0 if self.locked else self._visible

    def detail(self, index: int, /) -> Detail:
        self.calls.append(("detail", index))
        self._may_fail("detail")
        row = self.row(index)
        if row.state == "destroyed":
            said = "the key of this content was destroyed on purpose"
            return Detail(row, self.leaf(row), None, None, said, "destroyed", self.size)
        if self.locked:
            said = "the key store is not open"
            return Detail(row, self.leaf(row), None, None, said, "locked", self.size)
        call = self.call(row)
        raw = json.dumps(msgspec.to_builtins(call), ensure_ascii=False).encode()
        body = Body(raw, "openai.pair", [row.user or ""], row.session, "conv-9", "key-alias/prod")
        twin = [index + 1] if index % 10 == 3 and index + 1 < self.size else []
        same = SameCall(twin, index if twin else None)
        return Detail(row, self.leaf(row), call, body, None, "open", self.size, same)

    def conversation(self, index: int, /) -> list[Detail]:
        first = index - index % 3
        return [self.detail(at) for at in range(first, min(first + 3, self.size))]

    def similar(self, index: int, /) -> Selection:
        self._may_fail("similar")
        found = np.arange(index % 6, self._visible, 6, dtype=np.int64)[:200]
        return Selection(Filter(), self._visible, found, f"similar to record {index}")

    def cancel(self) -> None:
        self.calls.append(("cancel",))
        self._cancelled.set()

    # -- made up ---------------------------------------------------------------------------

    def row(self, index: int) -> Row:
        model, version = MODELS[index // 6 % 3]
        asked, answered = ASKED[index % 6], ANSWERED[index % 6]
        failed = index % 17 == 5
        if self.hostile:
            asked, answered = HOSTILE + asked, answered + HOSTILE
        nasty = HOSTILE if self.hostile else ""
        gone = index % 29 == 7 and not self.hostile
        hidden = self.locked or gone
        return Row(
            index=index,
            id=f"019a3b5c-{index >> 16 & 0xFFFF:04x}-7abc-8def-{index:012x}",
            time_us=START_US + index * STEP_US,
            kind="interaction",
            operation="chat",
            application="support-bot" + nasty,
            user=None if hidden else USERS[index // 3 % 7] + nasty,
            session=("tok_" if self.locked else "sess-") + f"{index // 3:06d}" + nasty,
            model=model + nasty,
            model_version=version,
            input_preview=None if hidden else asked[:200],
            output_preview=None if hidden or failed else answered[:200],
            tokens_in=120 + index % 1900,
            tokens_out=None if failed else 40 + index % 700,
            duration_us=800_000 + index % 9 * 350_000,
            error_type=("RateLimitError" + nasty) if failed else None,
            tool_names=["lookup_order" + nasty] if index % 6 == 0 else [],
            gaps=["no-response-id"] if index % 11 == 4 else [],
            state="locked" if self.locked else "destroyed" if gone else "open",
        )

    def call(self, row: Row) -> Interaction:
        nasty = HOSTILE if self.hostile else ""
        output = [Part("text", row.output_preview or "")]
        if row.tool_names:
            arguments = json.dumps({"order": 4711, "why": "[i] arr[0]" + nasty})
            output.append(Part("tool_call", arguments, "call_1", row.tool_names[0]))
        return Interaction(
            format="openai.pair",
            grade="raw",
            provider="openai",
            request_model=row.model,
            response_model=row.model_version or row.model,
            model_version=row.model_version,
            response_id=f"resp_{row.index}",
            start_us=row.time_us,
            end_us=row.time_us + (row.duration_us or 0),
            session_id=row.session,
            conversation_id="conv-9",
            subjects=[Subject(row.user or "", "enduser.id", "caller")],
            actor="key-alias/prod" + nasty,
            actor_assurance="platform",
            system=[Part("text", "You are a helpful support assistant." + nasty)],
            input=[
                Message("user", [Part("text", (row.input_preview or ""))]),
                Message(
                    "tool",
                    [Part("tool_call_response", '{"eta":"tomorrow","ok":true}' + nasty, "call_1")],
                ),
            ],
            output=[Message("assistant", output, "stop")],
            params={"temperature": 0.2},
            usage={"input_tokens": row.tokens_in or 0, "output_tokens": row.tokens_out or 0},
            error_type=row.error_type,
            error_message="Too many requests" + nasty if row.error_type else None,
            application=row.application,
            environment="prod",
            tool_names=row.tool_names,
            gaps=row.gaps,
            extra={"vendor.flag" + nasty: "x" + nasty},
        )

    def leaf(self, row: Row) -> bytes:
        return encode(
            Leaf(
                v=1,
                index=row.index,
                prev=bytes([row.index % 256]) * 32,
                id=row.id,
                kind=row.kind,
                time_us=row.time_us,
                recorded_us=row.time_us + 5_000,
                mono_us=row.index,
                boot="0a1b2c3d",
                source="litellm-gateway" + (HOSTILE if self.hostile else ""),
                by="aircon",
                clear={"gen_ai.response.model": row.model or ""},
                body=BodyRef([f"tok_{row.index // 3:06d}"], 2048, bytes(32)),
            )
        )

    def _matching(self, wanted: Filter, first: int) -> range | np.ndarray:
        if wanted in (Filter(), Filter(kind="interaction")):
            return range(first, self._visible)
        every = np.arange(first, self._visible, dtype=np.int64)
        keep = np.ones(len(every), dtype=bool)
        if wanted.errors_only:
            keep &= every % 17 == 5
        if wanted.user:
            known = [at for at, user in enumerate(USERS) if wanted.user.startswith(user)]
            keep &= np.isin(every // 3 % 7, known)
        if wanted.session:
            number = int("".join(c for c in wanted.session[:12] if c.isdigit()) or 0)
            keep &= every // 3 == number
        if wanted.model_version:
            known = [
                at for at, (_, version) in enumerate(MODELS) if version == wanted.model_version
            ]
            keep &= np.isin(every // 6 % 3, known)
        if wanted.text:
            keep &= np.isin(
                every % 6,
                [i for i, asked in enumerate(ASKED) if wanted.text.lower() in asked.lower()],
            )
        if wanted.since_us is not None:
            keep &= every * STEP_US + START_US >= wanted.since_us
        if wanted.until_us is not None:
            keep &= every * STEP_US + START_US < wanted.until_us
        return every[keep]

    def _may_fail(self, method: str) -> None:
        if self.fails == method:
            raise AirconError(
                f"The index object of segment 7 cannot be read ({method}).",
                kept="Nothing was changed; the evidence is only read here.",
                todo="Run `aircon verify` to see which file is damaged.",
            )


def _spread(total: int, buckets: int) -> list[int]:
    """So many in all, up and down over the buckets."""
    weights = np.array([int(40 + 38 * np.sin(at / 5) + at % 7) for at in range(buckets)])
    edges = np.rint(np.cumsum(weights) * total / weights.sum()).astype(int)
    return [int(each) for each in np.diff(edges, prepend=0)]


@dataclass
class FakeSession:
    """An open store around a `FakeExplorer`."""

    explorer: FakeExplorer
    name: str = "acme/prod"
    store: str = ""
    verdict: str = "verified"
    verify_waits: threading.Event | None = None
    unsealed: int = 37
    accesses: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    access_fails: bool = False
    verified: int = 0

    @property
    def locked(self) -> bool:
        return self.explorer.locked

    def now_us(self) -> int:
        return START_US + self.explorer.size * STEP_US

    def extent(self) -> Extent:
        size = self.explorer.size
        sealed = max(size - self.unsealed, 0)
        return Extent(size, signed=sealed, sealed=sealed)

    def unlock(self, passphrase: bytes) -> None:
        if passphrase != b"correct horse":
            raise PassphraseWrong("The passphrase does not open the key store.", todo="Try again.")
        self.explorer.locked = False

    def verify(
        self, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> Verdict:
        self.verified += 1
        size = self.explorer.size
        progress(size // 2, size)
        while self.verify_waits is not None and not self.verify_waits.wait(0.01):
            if cancelled():
                break
        sealed = max(size - self.unsealed, 0)
        lines = (f"checkpoint {sealed} of example.org/acme", "leaves, columns, tree: as signed")
        if self.verdict == "tampering":
            lines = ("segment 3, record 1234: leaf hash differs", "index 00000003.parquet")
        return Verdict(self.verdict, sealed, size, lines)

    def record_access(self, kind: str, facts: Mapping[str, object]) -> None:
        if self.access_fails:
            raise AirconError("The access could not be recorded.", kept="Nothing was exported.")
        self.accesses.append((kind, dict(facts)))


def session(size: int = 1_000, **modes: object) -> FakeSession:
    """A fake store; explorer modes are given by name."""
    return FakeSession(FakeExplorer(size, **modes))
