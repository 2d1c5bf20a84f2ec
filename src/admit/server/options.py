"""Every setting of the server in one value, with its default, unit, reason, source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from admit._exchange import BODY_LIMIT_BYTES
from admit.errors import ConfigError

__all__ = ("ServeOptions",)

KIB: Final = 1024
MIB: Final = 1024 * KIB

_AT_LEAST: Final = {
    "workers": 1,
    "connections": 1,
    "in_flight": 1,
    "header_bytes": KIB,
    "body_bytes": KIB,
    "buffered_bytes": KIB,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Say where and within which bounds to serve. Bounds count for each worker.

    Args:
        cert_file: PEM file: the serving certificate and its intermediates.
        key_file: PEM file: the private key of the certificate.
        client_ca_file: PEM file: authorities; clients of the review port have to show a
            certificate that one of them signed. Empty for no such demand.
        client_names: one of them has to be in that certificate, as its common name or
            a subject alternative name; none for any. An authority of a cluster signs
            for every node and user.
        token_file: tokens, one a line; a request has to show one of them as
            ``Authorization: Bearer``. Empty for no such demand.
        host: address of the review port; empty for every address of the machine, IPv4
            and IPv6.
        port: review port; 0 takes a free one. 8443 needs no privilege.
        health_host: address of the health port, likewise.
        health_port: plain HTTP for kubelet and Prometheus: `/healthz`, `/readyz`,
            `/metrics`; 0 takes a free one, None serves none.
        workers: processes that review. One does 10,000 reviews a second and more.
        connections: open connections. An API server keeps up to 25 idle ones and a
            cluster has a handful of API servers (client-go transport/cache.go).
        in_flight: reviews that wait at once (for async and blocking handlers).
        header_bytes: bytes of a request's path and headers together. The API server
            sends 300; Go's own server takes 1 MiB, nginx 32 KiB.
        body_bytes: bytes of a review.
        buffered_bytes: bytes of all bodies that are still arriving.
        handshake_seconds: time for the TLS handshake; Go's client gives it 10 s.
        header_seconds: from a request's first byte to the end of its headers.
        body_seconds: from there to the end of its body; the API server waits 30 s at
            most for everything (admissionregistration/v1, timeoutSeconds).
        idle_seconds: time without a request before a connection is closed. More than
            the 90 s after which Go's client closes it: the side that sends next should
            be the one to close, else a review meets a closed connection.
        write_seconds: time for a reader to take a reply.
        connection_seconds: age, give or take a fifth, at which a connection is closed
            with a reply that says so; None for never. API servers before 1.37 ask
            wherever they are connected, so new replicas would get nothing to do
            (kubernetes issue 75791).
        endpoint_delay_seconds: how long to go on after SIGTERM, unready, until nobody
            sends new requests here: the EndpointSlice has to change, and to reach
            every API server and node.
        drain_seconds: time for connections to end after that. Both together are less
            than the 30 s that kubelet gives a pod.
        reload_seconds: time between two looks at the certificate files. The kubelet
            itself takes up to a minute to bring a changed Secret.
        held_seconds: how long a handler may hold the event loop unnamed.
        liveness_seconds: how long a worker may be silent before `/healthz` fails: the
            API server's default timeout, so every review it had is lost by then.
    """

    cert_file: str
    key_file: str
    client_ca_file: str = ""
    client_names: tuple[str, ...] = ()
    token_file: str = ""
    host: str = ""
    port: int = 8443
    health_host: str = ""
    health_port: int | None = 8080
    workers: int = 1
    connections: int = 1000
    in_flight: int = 256
    header_bytes: int = 16 * KIB
    body_bytes: int = BODY_LIMIT_BYTES
    buffered_bytes: int = 64 * MIB
    handshake_seconds: float = 10.0
    header_seconds: float = 5.0
    body_seconds: float = 15.0
    idle_seconds: float = 120.0
    write_seconds: float = 15.0
    connection_seconds: float | None = 300.0
    endpoint_delay_seconds: float = 5.0
    drain_seconds: float = 20.0
    reload_seconds: float = 5.0
    held_seconds: float = 0.05
    liveness_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be served.

        Raises:
            ConfigError: a number out of its range (operator's fault).
        """
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}", hint=f"at least {least}"
                )
        if self.client_names and not self.client_ca_file:
            raise ConfigError(
                "names of clients are in certificates, and none are asked for",
                place="client_names",
                hint="give client_ca_file too",
            )
        for name in ("port", "health_port"):
            number = getattr(self, name)
            if number is not None and not 0 <= number <= 65535:
                raise ConfigError(f"{name} is {number}", hint="0 to 65535; 0 is free")
        self._check_seconds()

    def _check_seconds(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not name.endswith("_seconds") or value is None:
                continue
            if name == "endpoint_delay_seconds":
                if not value >= 0:
                    raise ConfigError(f"{name} is {value}", hint="0 or more")
            elif not value > 0:
                raise ConfigError(f"{name} is {value}", hint="above 0")
