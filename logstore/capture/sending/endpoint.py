"""The HTTP side: records posted until acknowledged, and the endpoint's kill switch asked for.

Rules of this file:

1. Only an answer 200 that names an index for every record is an acknowledgement.
2. What can be repeated is repeated with the very same bytes, source and number, so that an endpoint
   that stored it already knows it again. `Retry-After` is obeyed.
3. No text made here holds anything of a record, the token, or the endpoint's words beyond its slug.
"""

from __future__ import annotations

import random
import re
import ssl
import time
from dataclasses import dataclass

import httpx
import msgspec

from logstore.capture.sending.settings import Settings
from logstore.errors import UsageError

MAX_WAIT_S = 60.0
"""Longest pause between two attempts, whatever an endpoint asks for."""

_FIRST_WAIT_S = 0.1
_LEAST_WAIT_S = 0.05  # "at once" must not become a storm
_MAX_ANSWER = 2**20
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_HOPELESS = frozenset({400, 413, 415})
_SLUG = re.compile(r"[a-z0-9-]{1,60}")


class Unsent(Exception):
    """Records that were not acknowledged.

    Args:
        why: in words, without content.
        wait_s: seconds the endpoint asked to wait; None where it did not say.
        hopeless: the same bytes will never be taken.
        again: the same bytes may be taken later.
    """

    def __init__(
        self, why: str, *, wait_s: float | None = None, hopeless: bool = False, again: bool = False
    ) -> None:
        super().__init__(why)
        self.why = why
        self.wait_s = wait_s
        self.hopeless = hopeless
        self.again = again


@dataclass(frozen=True, slots=True)
class Parcel:
    """Records of one source with consecutive numbers, as one request carries them.

    Attributes:
        source: the client instance they come from.
        sequence: number of the first.
        records: evidence of each.
    """

    source: str
    sequence: int
    records: tuple[bytes, ...]

    def body(self) -> bytes:
        """The request body: a JSON array."""
        return b"[%b]" % b",".join(self.records)


class StopState(msgspec.Struct, frozen=True):
    """The endpoint's kill switch."""

    stopped: bool = False
    reason: str = ""


class _Stored(msgspec.Struct):
    indexes: list[int | None]


class _Told(msgspec.Struct):
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content: bytes
    retry_after: str | None


class Endpoint:
    """One endpoint, for one process. Thread-safe.

    Raises:
        UsageError: a certificate file can not be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx.Client(
            base_url=settings.endpoint,
            headers={"Authorization": f"Bearer {settings.token}"} if settings.token else {},
            timeout=httpx.Timeout(settings.timeout_s, connect=settings.connect_s),
            verify=_tls(settings),
            trust_env=not settings.is_local,  # a proxy for the world is none for this machine
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def post(self, parcel: Parcel, *, within_s: float) -> list[int | None]:
        """Send records until they are acknowledged; gives their indexes.

        None stands for a record that the endpoint kept only as evidence which it can not read.

        Raises:
            Unsent: they were not, in `within_s` seconds or for good.
        """
        until, attempt = time.monotonic() + within_s, 0
        while True:
            left = until - time.monotonic()
            try:
                return self.post_once(parcel, timeout_s=max(left, 0.05))
            except Unsent as unsent:
                wait = unsent.wait_s if unsent.wait_s is not None else backoff_s(attempt)
                if not unsent.again or time.monotonic() + wait >= until:
                    raise
            attempt += 1
            time.sleep(wait)

    def post_once(self, parcel: Parcel, *, timeout_s: float) -> list[int | None]:
        """As `post`, with one attempt."""
        connect_s = min(self._settings.connect_s, timeout_s)
        headers = {
            "Content-Type": "application/json",
            "Aircon-Source": parcel.source,
            "Aircon-Sequence": str(parcel.sequence),
        }
        timeout = httpx.Timeout(timeout_s, connect=connect_s)
        request = self._http.build_request(
            "POST", "/v1/records", content=parcel.body(), headers=headers, timeout=timeout
        )
        answer = self._ask(request)
        if answer.status != 200:
            raise _refusal(answer)
        return _indexes(answer.content, len(parcel.records))

    def stop_state(self) -> StopState:
        """Ask for the kill switch; an endpoint that has none does not stop anybody.

        Raises:
            Unsent: the endpoint does not answer, or does not admit this client.
        """
        timeout = min(self._settings.connect_s, self._settings.timeout_s)
        request = self._http.build_request("GET", "/v1/stop", timeout=timeout)
        answer = self._ask(request)
        if answer.status == 404:
            return StopState()
        if answer.status != 200:
            raise _refusal(answer)
        try:
            return msgspec.json.decode(answer.content, type=StopState)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unsent("what answers is no aircon endpoint") from None

    def _ask(self, request: httpx.Request) -> _Answer:
        try:
            return self._answered(request)
        except httpx.TimeoutException:
            raise Unsent("the endpoint did not answer in time", again=True) from None
        except httpx.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error):
                raise Unsent("its certificate is not trusted, or ours is not") from None
            raise Unsent("the endpoint can not be reached", again=True) from None
        except httpx.TransportError as error:
            raise Unsent(f"the connection broke ({type(error).__name__})", again=True) from None
        except (httpx.HTTPError, RuntimeError, ValueError) as error:
            raise Unsent(f"the request could not be made ({type(error).__name__})") from None

    def _answered(self, request: httpx.Request) -> _Answer:
        answer = self._http.send(request, stream=True)
        try:
            content = b""
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _MAX_ANSWER:
                    break  # no endpoint of ours says so much: what follows would be read as broken
            return _Answer(answer.status_code, content, answer.headers.get("Retry-After"))
        finally:
            answer.close()


def backoff_s(attempt: int) -> float:
    """Seconds before attempt `attempt` + 2: doubling, spread so that clients differ."""
    longest: float = min(MAX_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(attempt, 20))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def _indexes(content: bytes, count: int) -> list[int | None]:
    try:
        stored = msgspec.json.decode(content, type=_Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unsent("what answers is no aircon endpoint") from None
    if len(stored.indexes) != count:
        raise Unsent(f"{len(stored.indexes)} of {count} records were acknowledged")
    return stored.indexes


def _refusal(answer: _Answer) -> Unsent:
    status = answer.status
    try:
        slug = msgspec.json.decode(answer.content, type=_Told).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        slug = ""
    said = f" ({slug})" if _SLUG.fullmatch(slug) else ""
    words = {401: "the token is not accepted", 403: "the token may not write here"}
    why = words.get(status, f"the endpoint answered {status}{said}")
    return Unsent(
        why,
        wait_s=_retry_after(answer.retry_after),
        hopeless=status in _HOPELESS,
        again=status in _RETRYABLE,
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds (RFC 9110 section 10.2.3); a date is not worth its clock."""
    if value is None or not value.strip().isdecimal() or len(value) > 9:
        return None
    return min(max(float(value), _LEAST_WAIT_S), MAX_WAIT_S)


def _tls(settings: Settings) -> ssl.SSLContext:
    if not settings.endpoint.startswith("https://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; trusts nobody, costs nothing
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.cert is not None:
            context.load_cert_chain(settings.cert, settings.cert_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"A certificate file can not be used: {error}.") from None
    return context
