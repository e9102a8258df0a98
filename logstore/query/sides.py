"""The two sides of a reconciliation, read: sources of the log, and files that are not stored.

Files are cut and decoded as an import does, one piece at a time, and nothing of them is written
anywhere: what is kept of a record is a few numbers and its place.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from logstore.capture.beside import Folder
from logstore.capture.inflating import inflated
from logstore.capture.items import Bad, Item
from logstore.capture.records import kind_of
from logstore.capture.registry import DECODERS
from logstore.capture.sources import files_of
from logstore.capture.splitting import split
from logstore.formats.record import INTERACTION
from logstore.query.arrow import arrow_table
from logstore.query.callkeys import key, keys_of, model_name
from logstore.query.lockdown import quoted
from logstore.query.reconciling import Side
from logstore.query.where import like

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from logstore.query.engine import Engine

_CHUNK = 65_536

Progress = Callable[[int], None]
"""Called now and then with the records read so far."""


@dataclass(slots=True)
class Unread:
    """What of the files could not be compared.

    Attributes:
        pieces: pieces that are no interaction, or could not be decoded.
        files: files that could not be read, with the reason.
        reasons: how many pieces for each reason.
    """

    pieces: int = 0
    files: list[tuple[str, str]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def side_of_log(engine: Engine, source: str | None = None) -> Side:
    """The interactions of the log.

    Args:
        engine: with content; without it nothing has an id.
        source: only this source, and sources below it (``live/app`` also has ``live/app/web``);
            ``*`` stands for any run of characters; None for all.
    """
    engine.know_calls()
    where = f"r.kind = {quoted(INTERACTION)}"
    if source is not None:
        both = (f"r.source LIKE {quoted(like(each))}" for each in (source, f"{source}/*"))
        where += " AND (" + " OR ".join(f"{each} ESCAPE '\\'" for each in both) + ")"
    with engine.running() as cursor:
        found = arrow_table(cursor, f"{_LOG} WHERE {where} ORDER BY r.index")
    numbers = {
        name: found.column(name).to_numpy() for name in ("span", "response", "call", "known")
    }
    model = found.column("model").combine_chunks().dictionary_encode()
    models = [str(name) for name in model.dictionary.to_pylist()]
    codes = model.indices.to_numpy()
    index = found.column("index").to_numpy()
    return Side(
        time_us=found.column("time_us").to_numpy(),
        keys=tuple(numbers.values()),
        likely=_likely_keys(models, codes, found.column("asked"), found.column("told")),
        model=codes,
        models=models,
        place=lambda at: f"#{index[at]}",
    )


_LOG = (
    "SELECT r.index, r.time_us, coalesce(r.span_key, 0)::UBIGINT AS span, "
    "coalesce(r.response_key, 0)::UBIGINT AS response, coalesce(r.call_key, 0)::UBIGINT AS call, "
    "coalesce(c.root + 1, 0)::UBIGINT AS known, "
    "regexp_extract(coalesce(r.response_model, r.request_model, ''), '[^/]*$') AS model, "
    "coalesce(r.input_tokens, -1)::BIGINT AS asked, coalesce(r.output_tokens, -1)::BIGINT AS told "
    "FROM base.records r LEFT JOIN base.calls c ON c.index = r.index"
)


def _likely_keys(
    models: list[str], codes: NDArray[np.int32], *tokens: pa.ChunkedArray[Any]
) -> NDArray[np.uint64]:
    """`likely_key` of every record, made once for all that say the same."""
    import numpy as np

    counted = [each.to_numpy() for each in tokens]
    said = codes.astype(np.int64)
    for each in counted:
        values, place = np.unique(each, return_inverse=True)
        # Numbered anew each time: the number of pairs is bounded, their product is not.
        _, first, said = np.unique(
            said * len(values) + place, return_index=True, return_inverse=True
        )
    every = zip(codes[first].tolist(), *(each[first].tolist() for each in counted), strict=True)
    keys = [likely_key(models[code], asked, told) for code, asked, told in every]
    return np.array(keys, dtype=np.uint64)[said]


def likely_key(model: str | None, asked: int | None, told: int | None) -> int:
    """Key of a model and its token counts; 0 where one of them is not known."""
    if asked is None or told is None or asked < 0 or told < 0:
        return 0
    return key(model, str(asked), str(told)) or 0


def side_of_files(
    paths: Iterable[str | Path], unread: Unread, progress: Progress = lambda _: None
) -> Side:
    """The interactions of files and directories; what can not be read is added to `unread`.

    Raises:
        NotFound: a path that was named does not exist.
    """
    gathered = _Gathered()
    for path in files_of(paths):
        name = "-" if path is None else str(path)
        try:
            gathered.read(path, name, unread, progress)
        except OSError as error:
            unread.files.append((name, error.strerror or str(error)))
    return gathered.side()


class _Gathered:
    """Columns that grow with each record."""

    def __init__(self) -> None:
        self._numbers = {name: array("Q") for name in ("span", "response", "call", "likely")}
        self._time = array("q")
        self._model = array("i")
        self._models: dict[str, int] = {}
        self._names: list[str] = []
        self._starts: list[int] = []
        self._places: list[pa.Array[pa.StringScalar]] = []
        self._open: list[str] = []

    def read(self, path: Path | None, name: str, unread: Unread, progress: Progress) -> None:
        self._names.append(name)
        self._starts.append(len(self._time))
        for piece in _pieces(path):
            reason = self._take(piece)
            if reason:
                unread.pieces += 1
                unread.reasons[reason] += 1
            if len(self._time) % 1024 == 0:
                progress(len(self._time))

    def _take(self, piece: Item | Bad) -> str:
        """Keep what matters of one piece; returns why it could not be read, if so."""
        if isinstance(piece, Bad):
            return piece.reason
        try:
            found = DECODERS[piece.format](piece.raw)
        except Exception:  # noqa: BLE001 - whatever a decoder does, the rest is compared
            return f"not-{piece.format}"
        if kind_of(found) != INTERACTION:
            return ""
        keys, model = keys_of(found), model_name(found)
        usage = found.usage
        counted = {
            "span": keys.span, "response": keys.response, "call": keys.call,
            "likely": likely_key(model, usage.get("input_tokens"), usage.get("output_tokens")),
        }  # fmt: skip
        for column, value in counted.items():
            self._numbers[column].append(value or 0)
        self._time.append(_bounded(found.start_us or found.end_us or 0))
        self._model.append(self._models.setdefault(model or "", len(self._models)))
        self._open.append(piece.where)
        if len(self._open) >= _CHUNK:
            self._close()
        return ""

    def _close(self) -> None:
        import pyarrow as pa

        self._places.append(pa.array(map(_clean, self._open), pa.string()))
        self._open = []

    def side(self) -> Side:
        import numpy as np
        import pyarrow as pa

        self._close()
        places = pa.chunked_array(self._places, pa.string())
        names, starts = [_clean(name) for name in self._names], self._starts
        numbers = {
            name: np.frombuffer(column, dtype=np.uint64) if column else np.zeros(0, np.uint64)
            for name, column in self._numbers.items()
        }
        likely = numbers.pop("likely")
        return Side(
            time_us=np.array(self._time, dtype=np.int64),
            keys=(*numbers.values(), np.zeros(len(likely), np.uint64)),
            likely=likely,
            model=np.array(self._model, dtype=np.int32),
            models=list(self._models),
            place=lambda at: f"{names[bisect_right(starts, at) - 1]}, {places[at].as_py()}",
        )


def _pieces(path: Path | None) -> Iterator[Item | Bad]:
    import sys

    if path is None:
        yield from split(inflated(sys.stdin.buffer)[0])
        return
    folder = Folder(path)
    file: BinaryIO
    try:
        with path.open("rb", buffering=0) as file:
            yield from split(inflated(file)[0], folder=folder)
    finally:
        folder.close()


def _clean(text: str) -> str:
    """Lone surrogates, which no UTF-8 can carry, as question marks."""
    return text.encode("utf-8", "replace").decode()


def _bounded(time_us: int) -> int:
    return max(-(2**63), min(time_us, 2**63 - 1))
