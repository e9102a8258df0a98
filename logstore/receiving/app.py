"""The endpoint's doors over HTTP (OTLP/HTTP 1.x, and doors of our own), as a Starlette application.

Rules of this file:

1. 200 only after the group commit that holds every record of the request.
2. No answer is 500 or 507, which exporters take for "drop it": a fault of ours is 503.
3. Nothing of a request's content reaches an answer or the event log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from logstore.receiving import answers
from logstore.receiving.arriving import LIVE, Arrival, Route
from logstore.receiving.bodies import read_body
from logstore.receiving.endpoint import RETRY_S, Endpoint, Stored
from logstore.receiving.eventlog import EventLog
from logstore.receiving.gate import Gate, Sender, billed
from logstore.receiving.metrics import CONTENT_TYPE
from logstore.receiving.refusals import ComeBack, NotAdmitted, NotTaken, Refused, later
from logstore.receiving.stopping import StopFile

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_SEQUENCE = 2**62
_OTLP = (answers.PROTOBUF, answers.JSON)
_CLOSES = frozenset({408})  # others are read to their end, so that the answer arrives

DOORS: tuple[tuple[str, Route], ...] = (
    ("/v1/traces", "traces"),
    ("/v1/logs", "logs"),
    ("/v1/metrics", "metrics"),
    ("/api/public/otel/v1/traces", "traces"),  # Langfuse
    ("/v1/records", "records"),
    ("/litellm", "records"),  # LiteLLM's generic API callback
)
"""Paths that take something, and what."""


class Doors:
    """Answers requests; see the module text.

    Args:
        endpoint: stores them.
        gate: knows the senders.
        events: the endpoint's own log.
        stop: the kill switch that clients ask for.
    """

    def __init__(self, endpoint: Endpoint, gate: Gate, events: EventLog, stop: StopFile) -> None:
        self._endpoint = endpoint
        self._gate = gate
        self._events = events
        self._stop = stop

    def app(self) -> Starlette:
        """The application."""
        routes = [
            HttpRoute(
                path + slash, self._guarded(path, route, self._taker(route)), methods=["POST"]
            )
            for path, route in DOORS
            for slash in ("", "/")
        ]
        looks = (
            ("/healthz", self._healthz),
            ("/readyz", self._readyz),
            ("/metrics", self._metrics),
            ("/v1/stop", self._stopped),
        )
        routes += [
            HttpRoute(path, self._guarded(path, None, answer), methods=["GET"])
            for path, answer in looks
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _no_such_door})
        # Not every sender follows a redirect, and Anthropic's platform sends no more after one.
        app.router.redirect_slashes = False
        return app

    # -- taking ---------------------------------------------------------------------------------

    def _taker(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            self._endpoint.door()
            sender = self._gate.admit(request.headers, "write")
            is_json = _is_json(request, route)
            source, sequence = _numbered(request, sender)
            if route != "metrics":  # which are no records
                sender.check()
            with self._endpoint.backlog.entry() as entry, billed(sender) as bill:
                body = await read_body(request, self._endpoint.limits, entry)
                bill.charge(size=len(body))
                encoding = request.headers.get("content-encoding", "").strip().lower()
                arrival = Arrival(route, source, body, encoding, is_json, sequence)
                if route == "metrics":
                    await self._endpoint.count(arrival)
                    return _answer(route, Stored([]), is_json=is_json)
                stored = await self._endpoint.take(arrival, entry, bill)
            if stored.unreadable:
                raise NotTaken(
                    400,
                    "unreadable",
                    "nothing in the request could be read; it is kept as evidence",
                )
            return _answer(route, stored, is_json=is_json)

        return take

    def _guarded(
        self, path: str, route: Route | None, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            started = time.perf_counter()
            refused: Refused | None = None
            try:
                response = await answer(request)
            except Refused as error:
                refused = error
            except Exception as error:  # noqa: BLE001 - the sender must keep the batch and come back
                self._endpoint.metrics.faults.inc()
                self._events.fault(path, error)
                refused = later("fault", "the endpoint met a fault of its own", RETRY_S)
            if refused is not None:
                is_json = route is None or _wants_json(request)
                response = _refusal(route, refused, is_json=is_json)
            self._endpoint.metrics.requests.labels(path, str(response.status_code)).inc()
            if route is not None or refused is not None:
                self._events.request(
                    path,
                    response.status_code,
                    refused.slug if refused is not None else "",
                    time.perf_counter() - started,
                )
            return response

        return guarded

    # -- looking --------------------------------------------------------------------------------

    async def _healthz(self, request: Request) -> Response:  # noqa: ARG002 - starlette's call
        return Response(b'{"alive":true}', media_type=answers.JSON)

    async def _readyz(self, request: Request) -> Response:  # noqa: ARG002 - starlette's call
        obstacle = self._endpoint.obstacle()
        if obstacle is not None:
            raise obstacle
        return Response(b'{"ready":true}', media_type=answers.JSON)

    async def _metrics(self, request: Request) -> Response:
        if not _is_near(request):
            self._gate.admit(request.headers, "metrics")
        log = self._endpoint.writer.log
        metrics = self._endpoint.metrics
        metrics.log_size.set(log.size if log is not None else 0)
        metrics.store_away.set(log is not None and log.away is not None)
        metrics.waiting_files.set(log.waiting if log is not None else 0)
        metrics.ready.set(self._endpoint.obstacle() is None)
        metrics.counted(self._gate.census())
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    async def _stopped(self, request: Request) -> Response:
        self._gate.admit(request.headers, "write")
        return Response(self._stop.answer(), media_type=answers.JSON)


def _is_json(request: Request, route: Route) -> bool:
    """Whether an OTLP request is JSON; our own doors look at the content instead.

    Raises:
        NotTaken: 415, it is neither protobuf nor JSON.
    """
    if route == "records":
        return True
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _OTLP:
        raise NotTaken(
            415, "content-type", f"Content-Type must be {answers.PROTOBUF} or {answers.JSON}"
        )
    return kind == answers.JSON


def _wants_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind != answers.PROTOBUF


def _numbered(request: Request, sender: Sender) -> tuple[str, int | None]:
    """(source, sequence number) of a request's records.

    Raises:
        NotTaken: 400, a header is not of its form.
    """
    source = LIVE + sender.source
    name = request.headers.get("aircon-source")
    if name is not None:
        if not _NAME.fullmatch(name):
            raise NotTaken(400, "source-name", "Aircon-Source must be 1-64 of a-z 0-9 . _ -")
        source = f"{source}/{name}"
    stated = request.headers.get("aircon-sequence")
    if stated is None:
        return source, None
    if not (stated.isascii() and stated.isdecimal() and len(stated) < 20):
        raise NotTaken(400, "sequence", "Aircon-Sequence must be a whole number")
    sequence = int(stated)
    if sequence > _MOST_SEQUENCE:
        raise NotTaken(400, "sequence", "Aircon-Sequence is too large")
    return source, sequence


def _answer(route: Route, stored: Stored, *, is_json: bool) -> Response:
    if route == "records":
        return Response(answers.records(stored), media_type=answers.JSON)
    kind = answers.JSON if is_json else answers.PROTOBUF
    return Response(answers.otlp(route, stored, is_json=is_json), media_type=kind)


def _refusal(route: Route | None, refused: Refused, *, is_json: bool) -> Response:
    headers: dict[str, str] = {}
    if isinstance(refused, ComeBack):
        headers["retry-after"] = str(refused.retry_after)
    if isinstance(refused, NotAdmitted) and refused.status == 401:
        headers["www-authenticate"] = 'Bearer realm="aircon"'
    if refused.status in _CLOSES:
        headers["connection"] = "close"
    if route in ("traces", "logs", "metrics"):
        body = answers.otlp_failure(refused, is_json=is_json)
        kind = answers.JSON if is_json else answers.PROTOBUF
    else:
        body, kind = answers.failure(refused), answers.JSON
    return Response(body, refused.status, headers, kind)


def _is_near(request: Request) -> bool:
    """Whether a request comes from this machine."""
    return request.client is not None and request.client.host in ("127.0.0.1", "::1")


async def _no_such_door(request: Request, error: Exception) -> Response:  # noqa: ARG001 - starlette's call
    status = error.status_code if isinstance(error, HTTPException) else 404
    slug = "no-such-method" if status == 405 else "no-such-door"
    return _refusal(
        None, NotTaken(status, slug, "see docs/capture for what is taken"), is_json=True
    )
