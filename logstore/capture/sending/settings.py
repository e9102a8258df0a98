"""What a client is told: where the endpoint is, how long to wait, where the spool lies."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Literal, TypedDict
from urllib.parse import urlsplit

import msgspec

from logstore.errors import UsageError

OnFailure = Literal["closed", "open"]
"""What happens to a call that can not be recorded: it fails, or its record waits on this disk."""

_NAME = re.compile(r"[a-z0-9._-]{1,48}")


class Options(TypedDict, total=False):
    """Everything that `logstore.capture.client` accepts beside the endpoint and `on_failure`.

    Attributes:
        token: bearer token; default the environment's ``AIRCON_TOKEN``.
        application: name of the program, ``service.name`` of its records; lower case, digits,
            ``._-``, at most 48 characters.
        environment: e.g. ``production``.
        timeout_s: seconds for everything that recording one call may take, retries included.
        connect_s: seconds to reach the endpoint.
        close_s: seconds that closing waits for what is not sent yet.
        check_s: most seconds between two looks at the endpoint's kill switch.
        stop_file: a kill switch of this machine: while the file exists, no model is called.
        hold_stream: in closed mode, record a stream before its first chunk is handed out (default);
            False hands chunks out as they come and holds the last one back until recorded.
        ca: certificates of authorities to trust instead of the system's (PEM file).
        cert: the client's certificate (PEM file), with `cert_key`.
        cert_key: its private key (PEM file); default the one in `cert`.
        plain_http: allow ``http://`` to another machine (a sidecar, a private network).
        spool: in open mode, the directory where records wait; default
            ``$XDG_STATE_HOME/aircon/spool`` or ``~/.local/state/aircon/spool``.
        spool_key: its 32-byte key, or the file that holds it (created, mode 0600); default
            the environment's ``AIRCON_SPOOL_KEY`` (64 hex digits), or ``<spool>.key`` beside it.
        spool_bytes: most bytes the spool of one process takes; more is dropped and counted.
    """

    token: str
    application: str
    environment: str
    timeout_s: float
    connect_s: float
    close_s: float
    check_s: float
    stop_file: str | Path
    hold_stream: bool
    ca: str | Path
    cert: str | Path
    cert_key: str | Path
    plain_http: bool
    spool: str | Path
    spool_key: bytes | str | Path
    spool_bytes: int


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`Options`, complete and checked; the token shows in no text form."""

    endpoint: str
    on_failure: OnFailure
    token: str = ""
    application: str | None = None
    environment: str | None = None
    timeout_s: float = 10
    connect_s: float = 2
    close_s: float = 5
    check_s: float = 5
    stop_file: Path | None = None
    hold_stream: bool = True
    ca: Path | None = None
    cert: Path | None = None
    cert_key: Path | None = None
    plain_http: bool = False
    spool: Path | None = None
    spool_key: bytes | Path | None = None
    spool_bytes: int = 256 * 2**20

    def __repr__(self) -> str:
        return f"Settings({self.endpoint!r}, on_failure={self.on_failure!r})"

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return _is_loopback(urlsplit(self.endpoint).hostname or "")

    @property
    def is_closed(self) -> bool:
        """Whether calls fail that can not be recorded."""
        return self.on_failure == "closed"


def settings(endpoint: str, on_failure: OnFailure, options: Options) -> Settings:
    """Complete and check what a client was told.

    Raises:
        UsageError: an option that does not exist, or a value that can not be meant.
    """
    given: dict[str, object] = dict(options)
    given.setdefault("token", os.environ.get("AIRCON_TOKEN", ""))
    for name in ("stop_file", "ca", "cert", "cert_key", "spool"):
        if given.get(name) is not None:
            given[name] = Path(str(given[name]))
    if isinstance(given.get("spool_key"), str):
        given["spool_key"] = Path(str(given["spool_key"]))
    unknown = given.keys() - set(Settings.__struct_fields__)
    if unknown:
        raise UsageError(f"capture.client has no option {', '.join(sorted(unknown))}.")
    made = Settings(endpoint.rstrip("/"), on_failure, **given)  # type: ignore[arg-type]  # checked next
    _check(made)
    _check_numbers(made)
    return made


def new_source(application: str | None) -> str:
    """A name for one client instance: never that of a person or a machine."""
    return f"{application or 'python'}-{secrets.token_hex(6)}"


def _check(made: Settings) -> None:
    if made.on_failure not in ("closed", "open"):
        raise UsageError('on_failure is "closed" or "open".')
    parts = urlsplit(made.endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError("The endpoint is an address like http://127.0.0.1:4318.")
    if parts.username or parts.password:
        raise UsageError("A token does not belong into the endpoint's address; use token=.")
    if parts.scheme == "http" and not (made.is_local or made.plain_http):
        raise UsageError(
            "Plain http:// to another machine shows every record to the network.",
            todo="Use https://, or plain_http=True where the network itself is trusted.",
        )
    if made.application is not None and not _NAME.fullmatch(made.application):
        raise UsageError("application takes a-z, 0-9, '.', '_' and '-', at most 48 of them.")
    if made.cert_key is not None and made.cert is None:
        raise UsageError("cert_key needs cert.")


def _check_numbers(made: Settings) -> None:
    for name in ("timeout_s", "connect_s", "close_s", "check_s", "spool_bytes"):
        if not isinstance(getattr(made, name), int | float):
            raise UsageError(f"{name} is a number.")
    if min(made.timeout_s, made.connect_s) <= 0 or min(made.close_s, made.check_s) < 0:
        raise UsageError("Times are seconds, and more than 0.")
    if made.spool_bytes < 2**20:
        raise UsageError("spool_bytes is at least 1 MiB.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def default_spool() -> Path:
    """Where records wait unless somebody says otherwise (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "aircon" / "spool"
