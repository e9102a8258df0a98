"""Where the endpoint listens, and what it needs before others can reach it. Pure.

Rules of this file:

1. Plain HTTP and no tokens: only on loopback, where whoever can connect is on the machine already.
2. Every other address needs TLS (a token sent in clear is everybody's) and a token file.
3. An address is a number: a name can come to mean another address after it was checked. The one
   exception is ``localhost``, which means 127.0.0.1 here (RFC 6761 section 6.3).
4. No unix sockets: a web server in front reaches 127.0.0.1 just as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from logstore.errors import UsageError

_FORM = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):([0-9]{1,5})")
_EXAMPLES = "Examples: 127.0.0.1:4318, 0.0.0.0:4318, [::1]:4318."


@dataclass(frozen=True, slots=True)
class Binding:
    """An address to listen on.

    Attributes:
        host: IPv4 or IPv6 address, without brackets.
        port: 0 for any free one.
        loopback: whether only this machine can reach it.
    """

    host: str
    port: int
    loopback: bool

    def __str__(self) -> str:
        """As in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Guards:
    """What stands between the endpoint and others, by the options given.

    Attributes:
        certificate: a certificate chain was given.
        key: its private key was given.
        client_ca: certificates were given that must have signed each client's.
        tokens: a token file was given.
    """

    certificate: bool = False
    key: bool = False
    client_ca: bool = False
    tokens: bool = False


def parse_listen(text: str) -> Binding:
    """Read ``--listen``.

    Raises:
        UsageError: it is not HOST:PORT with an address of this machine's kind.
    """
    if text.startswith("unix:"):
        raise UsageError(
            "--listen takes no unix socket",
            todo="Let the web server in front connect to 127.0.0.1:4318.",
        )
    match = _FORM.fullmatch(text)
    if match is None or int(match[2]) > 65_535:
        raise UsageError(f"--listen {text}: HOST:PORT is due", todo=_EXAMPLES)
    host, port = match[1], int(match[2])
    if not host:
        raise UsageError(
            f"--listen {text}: the address is missing",
            todo=f"For every address of this machine say 0.0.0.0:{port} or [::]:{port}.",
        )
    if host.startswith("["):
        return _six(host[1:-1], port)
    return _four("127.0.0.1" if host.lower() == "localhost" else host, port)


def check_guards(binding: Binding, guards: Guards) -> None:
    """See that nobody gets in whom the operator did not mean to let in.

    Raises:
        UsageError: what is missing, and what to do about it.
    """
    if guards.certificate != guards.key:
        missing = "--tls-key" if guards.certificate else "--tls-cert"
        raise UsageError(f"HTTPS needs both --tls-cert and --tls-key; {missing} is missing")
    if guards.client_ca and not guards.certificate:
        raise UsageError(
            "--tls-client-ca checks certificates of clients, which only HTTPS has",
            todo="Give --tls-cert and --tls-key as well.",
        )
    if binding.loopback:
        return
    missing = ""
    todo = []
    if not guards.certificate:
        missing = "TLS"
        todo.append("give --tls-cert FILE and --tls-key FILE")
    if not guards.tokens:
        missing = f"{missing} and a token file" if missing else "a token file"
        todo.append("make a token with `aircon token add NAME` and give --token-file FILE")
    if missing:
        raise UsageError(
            f"others can reach {binding}, so it needs {missing}",
            kept="Nothing was opened.",
            todo=f"To listen there, {'; '.join(todo)}. For this machine alone, listen on"
            f" 127.0.0.1:{binding.port}.",
        )


def _four(host: str, port: int) -> Binding:
    try:
        address = IPv4Address(host)
    except AddressValueError:
        raise UsageError(
            f"--listen {host}:{port}: an address is due, not a name", todo=_EXAMPLES
        ) from None
    return Binding(str(address), port, address.is_loopback)


def _six(host: str, port: int) -> Binding:
    try:
        address = IPv6Address(host)
    except AddressValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise UsageError(
            f"--listen [{host}]:{port}: an IPv6 address without zone is due in the brackets",
            todo=_EXAMPLES,
        )
    mapped = address.ipv4_mapped
    return Binding(str(address), port, mapped.is_loopback if mapped else address.is_loopback)
