"""The one door to boto3: a client set up for evidence.

What differs from boto3's own settings, and why:

* Every payload is signed, over TLS too, and no checksum travels behind a body: some servers know no
  trailers and refuse every put over https (Ceph RGW 16.2: 411 MissingContentLength). Callers give
  their digests in headers instead.
* Where the bucket is stands in `Remote` alone: ``AWS_ENDPOINT_URL`` and profiles can not send
  evidence elsewhere. Credentials come from where boto3 looks for them, once more whenever the
  server turns them down (`renewing`).
* Times in answers are read here: botocore guesses at their form, which takes 50 us for each, more
  than half of what a long listing costs.
* Retries are botocore's standard ones. Its adaptive mode adds waiting of its own on the client's
  side, which delays a writer that must not go on before its object is safe.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, cast

from logstore.errors import StoreRefused
from logstore.s3 import failures
from logstore.s3.meant import BEFORE_PUT, check_signed
from logstore.s3.remote import Remote
from logstore.s3.renewing import Renewing

Answer = dict[str, Any]
"""What boto3 answers; nothing in it is believed before it was looked at."""

_CONNECTIONS = 16
_DEFAULT_REGION = "us-east-1"


class S3(Protocol):
    """The calls of boto3's client that we make; it has no types of its own. Thread-safe."""

    meta: Any

    def put_object(self, **parameters: Any) -> Answer: ...  # noqa: D102 - boto3's own names
    def get_object(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def head_object(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def head_bucket(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def delete_object(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def list_object_versions(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def put_object_retention(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def put_object_legal_hold(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def get_object_legal_hold(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def get_bucket_versioning(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def get_object_lock_configuration(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def create_multipart_upload(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def upload_part(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def complete_multipart_upload(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def abort_multipart_upload(self, **parameters: Any) -> Answer: ...  # noqa: D102 - likewise
    def close(self) -> None: ...  # noqa: D102 - likewise


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take.

    Attributes:
        connect_s: longest wait for a connection.
        read_s: longest wait for more bytes, or for an answer.
        attempts: how often a call is made before it is given up.
    """

    connect_s: float = 5.0
    read_s: float = 20.0
    attempts: int = 2


def connect(remote: Remote, patience: Patience | None = None) -> S3:
    """A client for a bucket; nothing is sent yet.

    Raises:
        StoreRefused: boto3's configuration on this machine can not be used, or the authorities'
            certificates can not.
    """
    if remote.ca_bundle is not None:
        _check_authorities(remote.ca_bundle)

    def client(session: Any) -> Any:
        made = session.client(
            "s3",
            endpoint_url=remote.endpoint_url,
            region_name=remote.region or (_DEFAULT_REGION if remote.endpoint_url else None),
            verify=remote.ca_bundle,
            config=_config(remote, patience or Patience()),
        )
        made.meta.events.register(BEFORE_PUT, check_signed)
        return made

    with failures.told(f"reach {remote.address}"):
        return cast("S3", Renewing(_session, client))


def _session() -> Any:
    import boto3
    from botocore.session import get_session

    made = get_session()
    made.register_component("data_loader", _descriptions())
    made.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
    return boto3.session.Session(botocore_session=made)


@functools.cache
def _descriptions() -> Any:
    """Descriptions of services, read once by botocore: nothing of a user's is in them."""
    from botocore.session import get_session

    return get_session().get_component("data_loader")


def moment(said: Any) -> dt.datetime:
    """A time in an answer: ISO 8601 in bodies, RFC 5322 in headers, or whatever botocore takes.

    Raises:
        ValueError: it is none.
    """
    from botocore.utils import parse_timestamp

    with contextlib.suppress(TypeError, ValueError):
        read = dt.datetime.fromisoformat if said[:1].isdigit() else parsedate_to_datetime
        found = read(said)
        if found.tzinfo is not None:
            return found
    return cast("dt.datetime", parse_timestamp(said))


def _check_authorities(path: str) -> None:
    """Look now: botocore would take a missing file for a network that is down, and try again."""
    import ssl

    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise StoreRefused(
            f"{path} can not be used as the authorities' certificates: {error.strerror or error}",
            todo="Check the file that remote.json names as ca_bundle.",
        ) from error


def _config(remote: Remote, patience: Patience) -> Any:
    from botocore.config import Config

    return Config(
        signature_version="s3v4",
        s3={
            "payload_signing_enabled": True,
            "addressing_style": "path" if remote.endpoint_url else "auto",
        },
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        connect_timeout=patience.connect_s,
        read_timeout=patience.read_s,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,
        user_agent_extra="aircon",
    )
