"""What goes wrong is said in words: what it was, that nothing is lost, and who must do what."""

from __future__ import annotations

import datetime as dt
import re
import socket
from email.utils import format_datetime
from pathlib import Path

import pytest
from support.certificates import certificates
from support.fake_s3 import Reply, fake_s3, refusal

from logstore.errors import AirconError, StoreAway, StoreRefused
from logstore.s3.address import Address
from logstore.s3.bucket import BucketReader
from logstore.s3.client import Patience, connect
from logstore.s3.remote import Remote

ONCE = Patience(connect_s=2, read_s=1, attempts=1)
A, V = "store.json", "3HL4kqtJvjVBH40Nrjfkd"


def reader(endpoint: str, patience: Patience = ONCE, ca: str | None = None) -> BucketReader:
    remote = Remote(Address("evidence", "logs"), endpoint, None, ca)
    return BucketReader(remote, connect(remote, patience))


def failure(endpoint: str, **options: object) -> AirconError:
    with pytest.raises(StoreAway) as caught:
        reader(endpoint, **options).get(A, V)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "says", "todo"),
    [
        (403, "InvalidAccessKeyId", "does not know the access key", "Renew the credentials"),
        (403, "SignatureDoesNotMatch", "the secret key is not the one", "Renew the credentials"),
        (400, "ExpiredToken", "the credentials have expired", "Renew the credentials"),
        (400, "InvalidToken", "does not take the session token", "Renew the credentials"),
        (403, "AccessDenied", "access is denied", "Let the owner of the bucket"),
        (404, "NoSuchBucket", "there is no such bucket", "Check its name"),
        (400, "InvalidRequest", "no (InvalidRequest)", "docs/s3.md"),
        (400, "KMS.DisabledException", "no (KMS.DisabledException)", "docs/s3.md"),
        (418, "Teapot", "no (Teapot)", "docs/s3.md"),
    ],
)
def test_what_stays_until_somebody_acts(status: int, code: str, says: str, todo: str) -> None:
    with fake_s3(lambda _: refusal(status, code)) as (endpoint, _):
        error = failure(endpoint)
    assert isinstance(error, StoreRefused)
    assert error.what == f"could not read {A}: {says}" or says in error.what
    assert todo in error.todo
    assert "Nothing is lost" in error.kept


def test_a_denial_names_the_action_where_the_server_does() -> None:
    said = "User: arn:aws:iam::111122223333:user/a is not authorized to perform: s3:PutObject on"
    for words, what in ((said, f"access is denied: {said}"), ("Access Denied", "access is denied")):
        with (
            fake_s3(lambda _, words=words: refusal(403, "AccessDenied", words)) as (endpoint, _),
            pytest.raises(StoreRefused, match=f"{re.escape(what)}$"),
        ):
            list(reader(endpoint).versions())


@pytest.mark.parametrize(("status", "code"), [(400, "ExpiredToken"), (403, "InvalidAccessKeyId")])
def test_why_a_head_is_refused_is_asked_for(status: int, code: str) -> None:
    """Its answer has no body, so no reason in it."""
    with fake_s3(lambda request: refusal(status, code)) as (endpoint, _):
        with pytest.raises(StoreRefused, match=r"credentials have expired|does not know"):
            reader(endpoint).head(A, V)
        for ask in (reader(endpoint).versioned, reader(endpoint).lockable):
            with pytest.raises(StoreRefused, match=r"credentials have expired|does not know"):
                ask()


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests"), (502, "BadGateway"),
     (409, "ConditionalRequestConflict"), (409, "OperationAborted"), (400, "RequestTimeout"),
     (400, "BadDigest"), (599, "Whatever")],
)  # fmt: skip
def test_what_passes_by_itself(status: int, code: str) -> None:
    with fake_s3(lambda _: refusal(status, code)) as (endpoint, _):
        error = failure(endpoint)
    assert not isinstance(error, StoreRefused)
    assert code in error.what
    assert error.todo == "Try again later; it goes on where it stopped."


@pytest.mark.parametrize("status", [503, 500, 502, 504])
def test_what_passes_is_tried_again_first(status: int) -> None:
    answers = iter([refusal(status, "SlowDown"), Reply(200, b"{}", {"x-amz-version-id": V})])
    with fake_s3(lambda _: next(answers)) as (endpoint, seen):
        assert reader(endpoint, Patience(2, 2, 2)).get(A, V).data == b"{}"
    assert len(seen) == 2


def test_a_clock_that_is_wrong_is_told_by_how_much() -> None:
    def ahead(_: object) -> Reply:
        then = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30)
        return refusal(403, "RequestTimeTooSkewed", Date=format_datetime(then, usegmt=True))

    with fake_s3(ahead) as (endpoint, _):
        error = failure(endpoint)
        skew = reader(endpoint).clock_skew()
    assert isinstance(error, StoreRefused)
    said = re.search(r"this machine's clock is (\d+) min (\d+) s behind the server's", error.what)
    assert said is not None
    assert abs(int(said[1]) * 60 + int(said[2]) - 30 * 60) < 10
    assert "NTP" in error.todo
    assert skew is not None
    assert abs(skew - 30 * 60) < 10


@pytest.mark.parametrize("said", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_a_clock_that_is_not_told_is_no_error(said: str) -> None:
    with fake_s3(lambda _: Reply(200, headers={"Date": said})) as (endpoint, _):
        assert reader(endpoint).clock_skew() is None


def test_a_bucket_in_another_region_is_named() -> None:
    elsewhere = {"x-amz-bucket-region": "eu-west-1"}
    reply = refusal(400, "AuthorizationHeaderMalformed", **elsewhere)
    with fake_s3(lambda _: reply) as (endpoint, _):
        error = failure(endpoint)
    assert isinstance(error, StoreRefused)
    assert "another region" in error.what


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert not isinstance(error, StoreRefused)
    assert "Could not connect" in error.what


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        error = failure(f"http://127.0.0.1:{mute.getsockname()[1]}")
    assert not isinstance(error, StoreRefused)
    assert "timeout" in error.what.lower()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure("http://127.0.0.1:9")
    assert isinstance(error, StoreRefused)
    assert "there are no credentials" in error.what
    assert "AWS_PROFILE" in error.todo


def test_half_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreRefused, match="AWS_SECRET_ACCESS_KEY|[Pp]artial"):
        reader("http://127.0.0.1:9").get(A, V)


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreRefused, match="nobody"):
        reader("http://127.0.0.1:9")


def test_a_certificate_that_nobody_here_trusts(tmp_path: Path) -> None:
    with tls_server(tmp_path / "theirs") as endpoint:
        error = failure(endpoint, ca=str(certificates(tmp_path / "ours").ca))
    assert isinstance(error, StoreRefused)
    assert "not signed by an authority trusted here" in error.what


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_authorities_that_can_not_be_read(tmp_path: Path, content: bytes | None) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(StoreRefused, match=r"ca\.pem"):
        reader("https://127.0.0.1:9", ca=str(bundle))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>please log in</html>"),
        Reply(200, b"<ListVersionsResult><Version></Version></ListVersionsResult>"),
        Reply(200, b"<ListVersionsResult><Vers"),
        Reply(200, b"\xff\xfe\x00"),
        Reply(200, b"<!DOCTYPE x [<!ENTITY a 'aaa'>]><x>&a;</x>"),
    ],
)
def test_what_is_no_s3_server_is_not_believed(reply: Reply) -> None:
    with fake_s3(lambda _: reply) as (endpoint, _), pytest.raises(StoreAway):
        list(reader(endpoint).versions())


def test_a_page_that_lets_people_in_is_no_bucket() -> None:
    """A captive portal answers 200 to everything; that must not pass for an empty bucket."""
    with fake_s3(lambda _: Reply(200, b"<html><body>Welcome</body></html>")) as (endpoint, _):
        with pytest.raises(StoreRefused, match="makes no sense"):
            list(reader(endpoint).versions())
        with pytest.raises(StoreRefused, match="another version"):
            reader(endpoint).get(A, V)


def test_what_the_server_says_is_cut_short() -> None:
    with fake_s3(lambda _: refusal(400, "InvalidRequest", "x" * 5000)) as (endpoint, _):
        assert len(failure(endpoint).what) < 400


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [(404, "NoSuchKey", "no"), (404, "NoSuchVersion", "no"), (405, "MethodNotAllowed", "no"),
     (400, "InvalidArgument", "Invalid version id specified")],
)  # fmt: skip
def test_what_is_not_there_is_not_there(status: int, code: str, message: str) -> None:
    with fake_s3(lambda _: refusal(status, code, message)) as (endpoint, _):
        with pytest.raises(FileNotFoundError, match="it is not there"):
            reader(endpoint).get(A, V)
        with pytest.raises(StoreRefused):
            list(reader(endpoint).versions())


def test_a_web_server_is_no_bucket() -> None:
    with (
        fake_s3(lambda _: Reply(404, b"<html>Not Found</html>")) as (endpoint, _),
        pytest.raises(StoreRefused, match="could not list"),
    ):
        list(reader(endpoint).versions())


def tls_server(folder: Path):  # type: ignore[no-untyped-def]
    """A server with a certificate of its own authority, which answers nothing."""
    import contextlib
    import ssl
    import threading

    @contextlib.contextmanager
    def running():  # type: ignore[no-untyped-def]
        made = certificates(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(made.server, made.server_key)
        with socket.create_server(("127.0.0.1", 0)) as plain:

            def greet() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        taken, _ = plain.accept()
                        with contextlib.suppress(OSError):
                            context.wrap_socket(taken, server_side=True).close()
                        taken.close()

            thread = threading.Thread(target=greet, daemon=True)
            thread.start()
            yield f"https://127.0.0.1:{plain.getsockname()[1]}"
            plain.shutdown(socket.SHUT_RDWR)
            thread.join()

    return running()
