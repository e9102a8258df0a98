"""Fetching from real directories and real servers on loopback, hostile ones among them."""

from __future__ import annotations

import datetime as dt
import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.otlp_made import span

from logstore.capture import fetching
from logstore.capture.fetching import Bounds, Fetcher, is_public
from logstore.capture.items import Item
from logstore.capture.records import to_record
from logstore.capture.references import AllowList
from logstore.capture.registry import decode
from logstore.formats import body as bodies
from logstore.formats.record import Record

ASKED = b'[{"role":"user","parts":[{"type":"text","content":"where is it?"}]}]'
IN = "gen_ai.input.messages_ref"


def pointing(address: str) -> Record:
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", IN: address}
    item = Item(json.dumps(span(known)).encode(), "otlp.span+json", "span 1")
    return to_record(item, decode(item.raw, item.format), source="t", by="t", seq=None)


def fetched(fetcher: Fetcher, address: str) -> bytes | str:
    """What was sealed beside the evidence, or the gap that says why not."""
    (record,) = fetcher.complete([pointing(address)])
    assert record.content is not None
    beside = bodies.parse(record.content).beside
    if beside:
        return beside[IN]
    gaps = record.clear["aircon.capture.gaps"]
    assert isinstance(gaps, list)
    assert "content-by-reference" in gaps
    (reason,) = [str(gap) for gap in gaps if str(gap).startswith("reference-")]
    return reason.removeprefix("reference-")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "content"
    (made / "deep").mkdir(parents=True)
    (made / "a.json").write_bytes(ASKED)
    (made / "deep/b c.json").write_bytes(ASKED)
    (tmp_path / "secret.json").write_bytes(b'["secret"]')
    return made


@pytest.fixture
def files(folder: Path) -> Iterator[Fetcher]:
    bounds = Bounds(object_bytes=100_000, wait_s=2, total_s=5)
    with Fetcher(AllowList([f"file://{folder}/"]), bounds) as made:
        yield made


def test_a_file_below_the_directory_is_sealed(files: Fetcher, folder: Path) -> None:
    assert fetched(files, f"file://{folder}/a.json") == ASKED
    assert fetched(files, f"file://{folder}/deep/b%20c.json") == ASKED


def test_links_pipes_devices_and_directories_are_not_read(files: Fetcher, folder: Path) -> None:
    (folder / "link.json").symlink_to(folder.parent / "secret.json")
    (folder / "inner").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.json")
    assert fetched(files, f"file://{folder}/link.json") == "not-allowed"
    assert fetched(files, f"file://{folder}/inner/secret.json") == "not-allowed"
    assert fetched(files, f"file://{folder}/pipe.json") == "unreadable"
    assert fetched(files, f"file://{folder}/deep") == "unreadable"
    assert fetched(files, f"file://{folder}/../secret.json") == "malformed"
    assert fetched(files, f"file://{folder.parent}/secret.json") == "not-allowed"


def test_what_is_missing_large_or_no_json_is_a_gap(files: Fetcher, folder: Path) -> None:
    (folder / "large.json").write_bytes(b"[" + b" " * 200_000 + b"]")
    (folder / "text.json").write_bytes(b"root:x:0:0")
    (folder / "empty.json").write_bytes(b"")
    assert fetched(files, f"file://{folder}/none.json") == "not-found"
    assert fetched(files, f"file://{folder}/large.json") == "too-large"
    assert fetched(files, f"file://{folder}/text.json") == "not-json"
    assert fetched(files, f"file://{folder}/empty.json") == "not-json"


def test_records_without_references_are_the_same_objects(files: Fetcher, folder: Path) -> None:
    plain = Record("interaction", "t", content=bodies.encode(bodies.Body(raw=b"x")))
    event = Record("log.created", "t")
    asking = pointing(f"file://{folder}/a.json")
    done = files.complete([plain, asking, event])
    assert done[0] is plain
    assert done[2] is event
    assert done[1] is not asking


def test_records_that_cannot_be_decoded_pass_unchanged(files: Fetcher) -> None:
    clear = {"aircon.capture.gaps": ["content-by-reference"]}
    content = bodies.encode(bodies.Body(raw=b"\xff", format="otlp.span"))
    broken = Record("interaction", "t", clear=clear, content=content)
    assert files.complete([broken]) == [broken]


# -- servers -----------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        name = self.path.rpartition("/")[2]
        if name == "moved.json":
            self._answer(302, b"", Location="/ai/a.json")
        elif name == "zipped.json":
            self._answer(200, ASKED, **{"Content-Encoding": "gzip"})
        elif name == "endless.json":
            self._endless()
        elif name == "slow.json":
            time.sleep(3)
        elif name == "a.json":
            self._answer(200, ASKED)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65_536)
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[Any]]]:
    seen: list[Any] = []
    handler = type("Handler", (_Handler,), {"seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(a server's context, a client's that trusts it) for 127.0.0.1 and files.example.org."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "made for a test")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("files.example.org")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, secret)
    return server, ssl.create_default_context(cafile=str(chain))


BOUNDS = Bounds(object_bytes=1_000_000, wait_s=1, total_s=4)


def test_https_pages_of_an_address_that_was_named(tmp_path: Path) -> None:
    server, client = certificate(tmp_path / "tls")
    with serving(server) as (port, seen):
        place = f"https://127.0.0.1:{port}/ai/"
        with Fetcher(AllowList([place]), BOUNDS, trust=client) as fetcher:
            assert fetched(fetcher, place + "a.json") == ASKED
            assert seen[0][1]["host"] == f"127.0.0.1:{port}"
            assert fetched(fetcher, place + "none.json") == "not-found"
            assert fetched(fetcher, place + "moved.json") == "unreadable", "no redirect is followed"
            assert fetched(fetcher, place + "zipped.json") == "unreadable"
            assert fetched(fetcher, place + "endless.json") == "too-large"
            assert fetched(fetcher, place + "slow.json") == "too-slow"
        with Fetcher(AllowList([place]), BOUNDS) as fetcher:
            assert fetched(fetcher, place + "a.json") == "unreadable", "nobody vouches for it"


def test_a_name_that_leads_to_a_private_address_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = certificate(tmp_path / "tls")
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", resolve)
    with serving(server) as (port, seen):
        place = f"https://files.example.org:{port}/ai/"
        with Fetcher(AllowList([place]), BOUNDS, trust=client) as fetcher:
            assert fetched(fetcher, place + "a.json") == "not-allowed"
            assert (asked, seen) == (["files.example.org"], []), "nobody was spoken to"
            monkeypatch.setattr(fetching, "is_public", lambda _: True)
            assert fetched(fetcher, place + "a.json") == ASKED, "the certificate fits the name"
            assert seen[0][1]["host"] == f"files.example.org:{port}"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_objects_of_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from botocore.config import Config

    with serving() as (port, seen):

        def client() -> Any:
            return boto3.session.Session().client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="eu-central-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(
                    s3={"addressing_style": "path"}, connect_timeout=1, read_timeout=1,
                    retries={"total_max_attempts": 1}, proxies={},
                ),
            )  # fmt: skip

        with Fetcher(AllowList(["s3://evidence/ai/"]), BOUNDS, s3=client) as fetcher:
            assert fetched(fetcher, "s3://evidence/ai/a.json") == ASKED
            assert seen[0][0] == "/evidence/ai/a.json"
            assert fetched(fetcher, "s3://evidence/ai/none.json") == "not-found"
            assert fetched(fetcher, "s3://evidence/ai/slow.json") == "too-slow"
            assert fetched(fetcher, "s3://evidence/ai/endless.json") == "too-large"
            assert fetched(fetcher, "s3://other/ai/a.json") == "not-allowed"
            assert all(path.startswith("/evidence/ai/") for path, _ in seen)


def test_one_call_ends_in_its_time_whatever_answers_slowly(tmp_path: Path) -> None:
    server, client = certificate(tmp_path / "tls")
    bounds = Bounds(wait_s=10, total_s=0.5)
    with serving(server) as (port, _):
        place = f"https://127.0.0.1:{port}/ai/"
        with Fetcher(AllowList([place]), bounds, trust=client) as fetcher:
            started = time.monotonic()
            records = fetcher.complete([pointing(f"{place}{at}/slow.json") for at in range(40)])
            assert time.monotonic() - started < 3
            for record in records:
                gaps = record.clear["aircon.capture.gaps"]
                assert isinstance(gaps, list)
                assert "reference-too-slow" in gaps
