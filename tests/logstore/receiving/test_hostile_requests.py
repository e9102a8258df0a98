"""Whoever can connect sends what HTTP never meant; each gets its answer or its end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.inside import Inside, inside, listening
from support.serving import spans

from logstore.receiving import connection
from logstore.receiving.limits import Limits

LIMITS = Limits(min_free_bytes=0, body_bytes=2**20, header_s=2, body_s=2)
HASTY = replace(LIMITS, header_s=0.4, body_s=0.4)
BODY = spans(1, first=77).SerializeToString()
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def request(
    line: bytes = b"POST /v1/traces HTTP/1.1",
    *headers: bytes,
    body: bytes = BODY,
    length: int | None = None,
) -> bytes:
    """A request as it stands on the wire."""
    stated = len(body) if length is None else length
    head = (
        line,
        b"host: endpoint",
        b"content-type: application/x-protobuf",
        b"content-length: %d" % stated,
        *headers,
    )
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def bare(*lines: bytes) -> bytes:
    """Lines as they stand."""
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.heard = b""

    @classmethod
    async def to(cls, port: int) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def say(self, data: bytes) -> None:
        """Send; the other side may have gone."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    @property
    def codes(self) -> list[int]:
        """The answer codes heard so far."""
        return [int(code) for code in _STATUS.findall(self.heard)]

    async def hear(self, count: int = 1, seconds: float = 30) -> list[int]:
        """Answer codes, until there are so many or the connection ends."""
        async with asyncio.timeout(seconds):
            while len(self.codes) < count and await self._more():
                pass
        return self.codes

    async def end(self, seconds: float = 30) -> list[int]:
        """All answer codes until the other side closes."""
        async with asyncio.timeout(seconds):
            while await self._more():
                pass
        self.writer.close()
        return self.codes

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(65_536)
        except ConnectionError:
            return False
        self.heard += data
        return bool(data)


@pytest.fixture
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    async with inside(tmp_path_factory.mktemp("hostile"), limits=LIMITS) as found:
        yield found
        assert found.faults == 0
        assert not found.events("fault")


async def alive(port: int) -> bool:
    """Whether a good sender is served."""
    wire = await Wire.to(port)
    await wire.say(request())
    codes = await wire.hear()
    wire.writer.close()
    return codes == [200]


CHUNKED = (b"POST /v1/traces HTTP/1.1", b"host: x", b"content-type: application/x-protobuf",
           b"transfer-encoding: chunked")  # fmt: skip

MALFORMED = {
    "length and chunks": bare(*CHUNKED, b"content-length: 4") + b"0\r\n\r\nGET /metrics HTTP/1.1",
    "two lengths": request(b"POST /v1/traces HTTP/1.1", b"content-length: 1"),
    "negative length": bare(b"POST /v1/traces HTTP/1.1", b"host: x", b"content-length: -1"),
    "length of 2**64": bare(
        b"POST /v1/traces HTTP/1.1", b"host: x", b"content-length: 18446744073709551617"
    ),
    "unknown transfer encoding": request(
        b"POST /v1/traces HTTP/1.1", b"transfer-encoding: xchunked"
    ),
    "chunked twice": bare(*CHUNKED, b"transfer-encoding: chunked") + b"zz\r\n",
    "chunk size that is none": bare(*CHUNKED) + b"xyz\r\n\r\n",
    "chunk size of 2**80": bare(*CHUNKED) + b"f" * 20 + b"\r\n",
    "space before the colon": bare(b"POST /v1/traces HTTP/1.1", b"host: x", b"content-length : 4"),
    "NUL in a header": request(b"POST /v1/traces HTTP/1.1", b"x: a\0b"),
    "bytes in the path": request(b"POST /v1/tr\xff\xfeaces HTTP/1.1"),
    "no path": request(b"POST HTTP/1.1"),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": bare(b"CONNECT 10.0.0.1:443 HTTP/1.1", b"host: 10.0.0.1:443"),
}  # fmt: skip


async def test_what_is_no_http_gets_400_and_the_end(running: Inside) -> None:
    async with listening(running) as port:
        for name, data in MALFORMED.items():
            wire = await Wire.to(port)
            await wire.say(data)
            assert await wire.end() == [400], name
        assert await alive(port)


WRONG = {
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 200),
    "a coded path": (request(b"POST /v1/%ff%fe%00 HTTP/1.1"), 404),
    "a path upwards": (request(b"POST /v1/records/../../etc/passwd HTTP/1.1"), 404),
    "a whole address": (request(b"POST http://other.example/v1/traces HTTP/1.1"), 200),
    "another method": (request(b"DELETE /v1/traces HTTP/1.1", body=b""), 405),
    "a look by POST": (request(b"POST /metrics HTTP/1.1"), 405),
    "a name in bytes": (request(b"POST /v1/traces HTTP/1.1", b"aircon-source: \xff\xfe"), 400),
    "a number in bytes": (request(b"POST /v1/traces HTTP/1.1", b"aircon-sequence: \xb2"), 400),
    "an encoding in bytes": (request(b"POST /v1/traces HTTP/1.1", b"content-encoding: \xff"), 415),
    "two encodings": (request(b"POST /v1/traces HTTP/1.1", b"content-encoding: gzip, gzip"), 415),
    "a page of the web": (request(b"POST /v1/traces HTTP/1.1", b"origin: http://evil"), 403),
    "a web socket": (
        request(b"POST /v1/traces HTTP/1.1", b"connection: upgrade", b"upgrade: websocket"), 200
    ),
    "HTTP/2 in the clear": (
        request(b"POST /v1/traces HTTP/1.1", b"connection: upgrade, http2-settings",
                b"upgrade: h2c", b"http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"), 200
    ),
    "a gibibyte announced": (request(length=2**30), 413),
}  # fmt: skip


async def test_what_is_wrong_gets_its_code(running: Inside) -> None:
    async with listening(running) as port:
        for name, (data, code) in WRONG.items():
            wire = await Wire.to(port)
            await wire.say(data)
            assert await wire.hear() == [code], name
            wire.writer.close()
        assert await alive(port)


async def test_a_connection_goes_on_after_an_offer_to_upgrade(running: Inside) -> None:
    offer = request(b"POST /v1/traces HTTP/1.1", b"connection: upgrade", b"upgrade: h2c")
    async with listening(running) as port:
        wire = await Wire.to(port)
        await wire.say(offer)
        assert await wire.hear() == [200]
        await wire.say(request())
        assert await wire.hear(2) == [200, 200]
        wire.writer.close()


async def test_http_1_0_is_answered_and_closed(running: Inside) -> None:
    async with listening(running) as port:
        wire = await Wire.to(port)
        await wire.say(request(b"POST /v1/traces HTTP/1.0"))
        assert await wire.end() == [200]


async def test_who_asks_before_sending_is_told_to_go_on_only_where_that_helps(
    running: Inside,
) -> None:
    async with listening(running) as port:
        for line, length, codes in (
            (b"POST /v1/traces HTTP/1.1", None, [100, 200]),
            (b"POST /nowhere HTTP/1.1", None, [404]),
            (b"POST /v1/traces HTTP/1.1", 2**30, [413]),
        ):
            head = request(line, b"expect: 100-continue", length=length)[: -len(BODY)]
            wire = await Wire.to(port)
            await wire.say(head)
            assert await wire.hear() == codes[:1]
            if codes[0] == 100:
                await wire.say(BODY)
                assert await wire.hear(2) == codes
            wire.writer.close()


async def test_too_large_a_body_gets_its_answer_although_it_is_sent_to_the_end(
    running: Inside,
) -> None:
    big = b"x" * (8 * 2**20)
    async with listening(running) as port:
        wire = await Wire.to(port)
        await wire.say(request(body=big))
        assert await wire.hear() == [413]
        await wire.say(request())  # and what follows is a request of its own
        assert await wire.hear(2) == [413, 200]
        wire.writer.close()

        wire = await Wire.to(port)
        await wire.say(bare(*CHUNKED))
        for _ in range(8):
            await wire.say(b"100000\r\n" + big[: 2**20] + b"\r\n")
        await wire.say(b"0\r\n\r\n")
        assert await wire.hear() == [413]
        wire.writer.close()
        assert running.endpoint.backlog.size == 0


async def test_requests_sent_without_waiting_are_answered_in_order(running: Inside) -> None:
    async with listening(running) as port:
        wire = await Wire.to(port)
        many = [request(body=spans(1, first=500 + n).SerializeToString()) for n in range(40)]
        many[7] = request(b"POST /nowhere HTTP/1.1")
        await wire.say(b"".join(many))
        assert await wire.hear(40) == [200] * 7 + [404] + [200] * 32
        wire.writer.close()


async def test_a_request_repeated_to_the_byte_is_stored_once(running: Inside) -> None:
    async with listening(running) as port:
        wire = await Wire.to(port)
        before = running.endpoint.metrics.tally.total()
        await wire.say(request() * 5)
        assert await wire.hear(5) == [200] * 5
        wire.writer.close()
        assert running.endpoint.metrics.tally.total() == before + 1


async def test_the_same_bytes_under_another_type_are_another_request(running: Inside) -> None:
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}]}]}'
    for kind, code in (("x-protobuf", 400), ("json", 200), ("x-protobuf", 400)):
        headers = {"content-type": f"application/{kind}"}
        answer = await running.client.post("/v1/traces", content=body, headers=headers)
        assert answer.status_code == code


async def test_who_has_no_more_to_send_still_gets_its_answer(running: Inside) -> None:
    async with listening(running) as port:
        wire = await Wire.to(port)
        wire.writer.write(request())
        wire.writer.write_eof()
        assert await wire.end() == [200]
        wire = await Wire.to(port)
        wire.writer.write(request()[:-3])
        wire.writer.write_eof()
        assert await wire.end() == []  # half a request is none
        assert running.endpoint.backlog.size == 0


async def test_headers_without_end_are_refused(running: Inside) -> None:
    async with listening(running) as port:
        for flood in (b"x" * 2**20, b"a: b\r\n" * 100_000, b"cookie: " + b"c" * 2**20):
            wire = await Wire.to(port)
            await wire.say(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
            for start in range(0, len(flood), 2**16):
                await wire.say(flood[start : start + 2**16])
            assert await wire.end() in ([431], [])  # what was sent too late may cost the answer
        wire = await Wire.to(port)
        await wire.say(b"GET /healthz HTTP/1.1\r\nx: " + b"x" * 33_000)
        assert await wire.end() == [431]
        assert await alive(port)


@pytest.mark.parametrize("what", [b"trailer: x\r\n", b"t: " + b"x" * 1_000])
async def test_trailers_without_end_are_cut_off(running: Inside, what: bytes) -> None:
    async with listening(running) as port:
        wire = await Wire.to(port)
        await wire.say(bare(*CHUNKED) + b"1\r\nx\r\n0\r\n")
        for _ in range(100):
            await wire.say(what * 50)
            await asyncio.sleep(0.001)
        await wire.end(1.5)  # before the clock does it
        assert await alive(port)


async def test_too_many_connections_are_told_when_to_come_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    few = replace(LIMITS, connections=3)
    async with (
        inside(tmp_path_factory.mktemp("few"), limits=few) as running,
        listening(running) as port,
    ):
        served = [await Wire.to(port) for _ in range(3)]
        for wire in served:
            await wire.say(request())
            assert await wire.hear() == [200]
        late = await Wire.to(port)
        await late.say(request())
        assert await late.end() == [503]
        assert b"retry-after: 1\r\n" in late.heard
        assert b'"error":"too-many-connections"' in late.heard
        served[0].writer.close()
        async with asyncio.timeout(30):
            while not await alive(port):
                pass  # until the endpoint has seen that one went
        for wire in served[1:]:
            wire.writer.close()


# -- slow ones ----------------------------------------------------------------------------------


@pytest.fixture
async def hasty(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Inside]:
    monkeypatch.setattr(connection, "_GRACE_S", 0.4)
    async with inside(tmp_path_factory.mktemp("hasty"), limits=HASTY) as found:
        yield found
        assert found.faults == 0
        assert found.endpoint.backlog.size == 0


async def dribble(port: int, start: bytes, drop: bytes) -> list[int]:
    """Send a start and then a drop at a time, until the other side has enough."""
    wire = await Wire.to(port)
    await wire.say(start)
    done = asyncio.create_task(wire.end(30))
    while not done.done():
        await wire.say(drop)
        await asyncio.sleep(0.05)
    return await done


SLOW = {
    "nothing": (b"", b"", []),
    "headers": (b"POST /v1/traces HTTP/1.1\r\n", b"a: b\r\n", []),
    "empty lines": (b"", b"\r\n", []),
    "empty lines after a request": (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"\r\n", [200]),
    "a body": (request(length=10**6), b"x", [408]),
    "chunks": (bare(*CHUNKED), b"1\r\nx\r\n", [408]),
    "a body that nobody wants": (request(b"POST /nowhere HTTP/1.1", length=10**6), b"x", [404]),
    "a body that is too large": (request(length=2**30), b"x", [413]),
}


@pytest.mark.parametrize("name", SLOW)
async def test_many_slow_senders_are_cut_off_and_others_served(hasty: Inside, name: str) -> None:
    start, drop, codes = SLOW[name]
    async with listening(hasty) as port:
        slow = [asyncio.create_task(dribble(port, start, drop)) for _ in range(60)]
        assert await alive(port)
        for each in slow:
            assert await each == codes
        assert await alive(port)
