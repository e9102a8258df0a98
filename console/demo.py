"""What `aircon demo` shows: a throw-away store from logs to proof, one step after the other."""

from __future__ import annotations

import shutil
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from console import diagnostics, output, sealing, verifying
from console.importing import import_paths, taken_words
from console.opening import OpenStore
from console.output import Painted, Shape
from console.progress import Progress
from console.verbs.init import create
from console.verbs.sql import columns_of
from logstore.errors import CannotJudge, UsageError

MARKER = "THROW-AWAY"
"""File that says a directory was made by the demo and may be made anew."""

ORIGIN = "demo.aircon.invalid/larkmoor"
"""The demo log's name; `.invalid` can never be a real host."""

_SEED = 20261102
_RECORDS = 5_000


@dataclass(frozen=True, slots=True)
class Question:
    """A question that somebody responding to an incident would ask.

    Attributes:
        words: the question.
        sql: how it is asked.
        answer: what to read out of the rows.
    """

    words: str
    sql: str
    answer: str


QUESTIONS = (
    Question(
        "Did an answer make the reader's browser send data to a foreign host?",
        """\
SELECT regexp_extract(text, '!\\[[^]]*\\]\\((https?://[^/ )]+)', 1) AS image_host,
       count(*) AS images, count(DISTINCT user_id) AS people,
       max(length(regexp_extract(text, '!\\[[^]]*\\]\\(([^)]*)\\)', 1))) AS longest_link,
       min(time) AS first_seen, max(time) AS last_seen
FROM messages
WHERE side = 'output' AND image_host <> ''
GROUP BY image_host ORDER BY longest_link DESC""",
        "Two hosts only ever got short links to charts. The first one got long links that carry"
        " what customers had said: prompt injection through a page of the knowledge base.",
    ),
    Question(
        "Which person was busiest in a single hour, and when was that?",
        """\
SELECT user_id, time_bucket(INTERVAL 1 hour, time) AS hour, count(*) AS calls,
       list_sort(list_distinct(flatten(list(tool_names)))) AS tools
FROM interactions
WHERE user_id IS NOT NULL
GROUP BY user_id, hour ORDER BY calls DESC, user_id LIMIT 5""",
        "The first one worked through the night of a weekend with tools that nobody uses by"
        " hand: an identity that somebody else was using.",
    ),
    Question(
        "Was the same answer served to different people?",
        """\
SELECT day, count(*) AS answers, list(people) AS who_got_them
FROM (SELECT response_id, min(time)::DATE AS day, list(DISTINCT user_id) AS people
      FROM interactions
      WHERE response_id IS NOT NULL
      GROUP BY response_id HAVING count(DISTINCT user_id) > 1)
GROUP BY day ORDER BY day""",
        "An answer has one id. Households share some; but on two days ids reached strangers in"
        " numbers: a cache gave one customer's answer to another.",
    ),
)
"""What the demo asks the sample logs."""


def make(directory: Path, logs: Path | None) -> OpenStore:
    """Make the store, import, and seal; returns it open.

    Raises:
        UsageError: the directory exists and was not made by the demo.
    """
    _clear(directory)
    source = logs or _sample_logs(directory)
    args = arguments(directory)
    _step(1, f"A throw-away store in {directory}")
    create(args, ORIGIN, protect=False)
    store = OpenStore(args, "demo", protect=False)
    _step(2, f"Importing {source}")
    report = import_paths(store, [str(source)])
    output.line(
        f"{taken_words(report)} from {sum(file.taken > 0 for file in report.files)} files;"
        f" {report.rejected:,} lines could not be read and were kept apart."
    )
    _step(3, "Sealing")
    pins = sealing.seal(store.log())
    store.reader.refresh()
    output.line(f"{sum(pin.count for pin in pins):,} records in {len(pins)} immutable segment(s).")
    return store


def examine(store: OpenStore, directory: Path) -> int:
    """Verify, ask, prove, check; returns the verification's exit code."""
    _step(4, "Verifying every file, hash, signature and column")
    report = verifying.verify(store, quick=False)
    verifying.say(report)
    for number, question in enumerate(QUESTIONS, 5):
        _ask(number, question, store)
    _prove(8, store, directory / "record.tlog-proof")
    return report.exit_code


def close(report_code: int, directory: Path) -> None:
    """Say what to do next."""
    store = directory / "evidence"
    output.line()
    output.line(Painted("The demo is done.", "bold"))
    output.line(f"  aircon console --store {store}")
    output.line(f'  aircon search "amber ledger" --store {store}')
    output.line(f"  aircon verify --store {store}")
    if report_code:
        diagnostics.warn("the store did not verify: this is a fault worth reporting")


def arguments(directory: Path) -> Namespace:
    """The options of a command that works on the demo's store."""
    return Namespace(
        store=str(directory / "evidence"),
        keys=None,
        policy=None,
        log=None,
        passphrase_fd=None,
        passphrase_file=None,
        insecure_no_passphrase=True,
        reason="aircon demo",
    )


def _clear(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARKER).is_file():
            raise UsageError(
                f"{directory} exists and was not made by the demo",
                kept="It was not touched.",
                todo="Name another place with --directory.",
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARKER).write_text("Made by `aircon demo`, which removes it when run again.\n")


def _sample_logs(directory: Path) -> Path:
    beside = Path(__file__).resolve().parent.parent / "sample-logs"
    if beside.is_dir():
        return beside
    from drills.sample.generate import generate

    made = directory / "sample-logs"
    with Progress("writing sample logs", "interactions") as progress:
        generate(_RECORDS, _SEED, made, progress=lambda done: progress(done, _RECORDS))
    return made


def _ask(number: int, question: Question, store: OpenStore) -> None:
    _step(number, question.words)
    for text in question.sql.splitlines():
        output.line(Painted(f"    {text}", "cyan"))
    output.line()
    result = store.engine.sql(question.sql)
    output.rows(columns_of(result), result.rows, Shape(), more=result.truncated)
    output.line(question.answer)


def _prove(number: int, store: OpenStore, target: Path) -> None:
    from logstore.verify.proving import check, prove

    found = store.engine.sql(
        "SELECT index FROM interactions ORDER BY"
        " coalesce(output_text LIKE '%![%](http%', false) DESC, length(output_text) DESC NULLS LAST"
        " LIMIT 1"
    )
    index = next((int(row[0]) for row in found.rows), None)
    if index is None:
        raise CannotJudge("no interaction was imported", todo="Name other logs with --logs.")
    _step(number, f"Proving record {index} to a stranger")
    data = prove(store.reader, index)
    target.write_bytes(data)
    output.line(f"{len(data):,} bytes in {target}, without any content.")
    result = check(data, store.policy)
    output.line("Checked offline, with the proof and the policy alone:")
    for each in result.proven or [result.problem]:
        output.line("  ", Painted(each, "red" if result.problem else "green"))
    output.line(f"  aircon check {target} --policy {store.places.policy}")


def _step(number: int, words: str) -> None:
    output.line()
    output.line(Painted(f"{number}. {words}", "bold"))
    output.flush()
