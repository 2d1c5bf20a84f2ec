"""The one value of settings, and the few parts that need no connection."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import socket
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from admit.errors import ConfigError
from admit.server import ServeOptions
from admit.server.listener import bind
from admit.server.notices import Notices
from admit.server.replies import Heads
from tests.server.running import Authority, serving, wait_for
from tests.server.wire import connected, look


def options(**settings: Any) -> ServeOptions:
    return ServeOptions(cert_file="c", key_file="k", **settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", 0),
        ("connections", 0),
        ("in_flight", 0),
        ("body_bytes", 10),
        ("port", 65536),
        ("health_port", -1),
        ("drain_seconds", 0),
        ("endpoint_delay_seconds", -1),
        ("idle_seconds", -1.0),
        ("header_seconds", float("nan")),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        options(**{name: value})


def test_every_setting_is_explained_in_the_order_of_its_fields() -> None:
    text = inspect.getdoc(ServeOptions) or ""
    names = [field.name for field in dataclasses.fields(ServeOptions)]
    assert all(f"\n    {name}: " in text for name in names)


def test_an_idle_connection_outlives_the_api_servers_own_patience() -> None:
    assert options().idle_seconds > 90  # Go's IdleConnTimeout in client-go


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("no.such.host.invalid", 0)]
)
def test_an_address_that_is_not_ours_is_refused(host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="cannot serve there") as caught:
        bind(host, port)
    assert caught.value.place == f"{host}:{port}"


def test_addresses_of_both_kinds_are_taken() -> None:
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "::1", "::", ""):
        for sock in bind(host, 0):
            assert sock.getsockname()[1] > 0
            sock.close()


def test_no_host_is_every_address_of_both_kinds() -> None:
    (listening,) = bind("", 0)
    with listening:
        listening.listen()
        for host in ("127.0.0.1", "::1"):
            if ":" in host and not socket.has_dualstack_ipv6():
                continue
            port = listening.getsockname()[1]
            socket.create_connection((host, port), timeout=10).close()


def test_a_health_port_that_is_taken_frees_the_other(authority: Authority) -> None:
    with (
        serving(authority) as served,
        pytest.raises(ConfigError, match="cannot serve there"),
        serving(authority, health_port=served.health_port),
    ):
        pass


def test_the_date_is_written_as_http_writes_it() -> None:
    heads = Heads()
    heads._second = 784111777 - 1
    heads._heads.clear()
    assert b"Date: Sun, 06 Nov 1994 08:49:36 GMT\r\n" in heads.get(200)
    before = heads.get(200)
    heads.refresh()
    assert heads.get(200) != before
    assert heads.get(200) == heads.ok


def test_a_kind_of_line_comes_once_a_second_with_what_was_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    notices = Notices(logging.getLogger("test"), lambda: now[0])
    with caplog.at_level(logging.INFO, logger="test"):
        for _ in range(5):
            notices.say("one", "text")
        notices.say("two", "text")
        now[0] += 1.5
        notices.say("one", "text")
    fields: list[Any] = [record.__dict__["fields"] for record in caplog.records]
    assert [f["kind"] for f in fields] == ["one", "two", "one"]
    assert [f.get("not_logged") for f in fields] == [None, None, 4]


def test_the_loop_is_never_blocked(authority: Authority) -> None:
    """Certificates, metrics and reviews: a blocking call in the loop raises."""
    files = authority.issue("unblocked")
    with blockbuster_ctx(), serving(authority, files=files) as served:
        with connected(served) as client:
            assert client.ask().status == 200, served.log.getvalue()
        assert look(served.health_port, "/metrics")[0] == 200
        authority.issue("unblocked")
        wait_for(lambda: "certificate replaced" in served.log.getvalue())
        assert "BlockingError" not in served.log.getvalue()
