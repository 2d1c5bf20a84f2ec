"""`admit serve`: the webhook server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from admit._tasks.certificates import ONE_LINER, and_register, choose
from admit._tasks.serve import Order, Serving, serve
from admit.certs.times import Times
from admit.cli.options import (
    debug_option,
    modes_option,
    output_option,
    policies_argument,
)
from admit.cli.output import show_json, show_note
from admit.server import ServeOptions

if TYPE_CHECKING:
    from admit._handler import Mode

__all__ = ("command",)

NO_PORT: Final = "none"

# What only `choose` reads.
CERTIFICATE_OPTIONS: Final = (
    *("certs", "service", "secret", "leaf_seconds", "authority_seconds"),
)


def _read_port(
    _ctx: click.Context, parameter: click.Parameter, value: str
) -> int | None:
    if value == NO_PORT:
        return None
    if not value.isdecimal() or int(value) > 65535:
        raise click.BadParameter(f"{value!r} is no port", param=parameter)
    return int(value)


def _default(name: str) -> Any:
    """The server's own default, written once, over there."""
    return ServeOptions.__dataclass_fields__[name].default


@click.command("serve", short_help="Serve policies to the API server.")
@policies_argument
@click.option(
    "--certs",
    type=click.Choice(["files", "self"]),
    default="files",
    show_default=True,
    help="Who makes the serving certificate: somebody who writes the files, or the "
    "replicas themselves, from an authority that they share in a Secret.",
)
@click.option(
    "--cert-file",
    default="",
    metavar="FILE",
    help="The serving certificate and its intermediates, in PEM; read again when it "
    "changes.",
)
@click.option(
    "--key-file", default="", metavar="FILE", help="The certificate's key, in PEM."
)
@click.option(
    "--service",
    default="",
    metavar="NAMESPACE/NAME",
    help="The Service that API servers call: the names of a certificate made here.",
)
@click.option(
    "--secret",
    default="",
    metavar="NAME",
    help="The Secret of the authority, beside the Service; NAME-tls by default.",
)
@click.option(
    "--leaf-seconds",
    type=float,
    default=Times().leaf_seconds,
    show_default="30 days",
    metavar="SECONDS",
    help="Life of a certificate made here; renewed after two thirds.",
)
@click.option(
    "--authority-seconds",
    type=float,
    default=Times().authority_seconds,
    show_default="365 days",
    metavar="SECONDS",
    help="Life of the authority; at least four leaves.",
)
@click.option(
    "--register",
    is_flag=True,
    help="Keep the webhook configurations right: the policies' rules, caBundle, and "
    "what somebody deleted. With --certs self.",
)
@click.option(
    "--client-ca-file",
    default="",
    metavar="FILE",
    help="Authorities, in PEM: only clients with a certificate of theirs may ask.",
)
@click.option(
    "--client-name",
    "client_names",
    multiple=True,
    metavar="NAME",
    help="A name that such a certificate has to have: its common name, or an "
    "alternative one. Repeat it to allow several.",
)
@click.option(
    "--token-file",
    default="",
    metavar="FILE",
    help="Tokens, one a line, of which a client has to show one; read again when it "
    "changes.",
)
@click.option(
    "--host", default=_default("host"), help="Address; all of the machine by default."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_default("port"),
    show_default=True,
    help="Port for reviews, over TLS; 0 takes a free one.",
)
@click.option(
    "--health-port",
    default=str(_default("health_port")),
    show_default=True,
    callback=_read_port,
    metavar="PORT",
    help="Plain port for /healthz, /readyz and /metrics; none for no such port.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=_default("workers"),
    show_default=True,
    help="Processes that review.",
)
@click.option(
    "--endpoint-delay",
    "endpoint_delay_seconds",
    type=click.FloatRange(0, 600),
    default=_default("endpoint_delay_seconds"),
    show_default=True,
    metavar="SECONDS",
    help="How long to go on after SIGTERM, unready, until no new requests come.",
)
@click.option(
    "--connection-age",
    "connection_seconds",
    type=click.FloatRange(1),
    default=_default("connection_seconds"),
    show_default=True,
    metavar="SECONDS",
    help="Age, give or take a fifth, at which a connection is closed after a reply.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "text"]),
    default="auto",
    show_default=True,
    help="auto: text at a terminal.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="debug tells of allowed reviews too.",
)
@modes_option
@output_option()
@debug_option
def command(
    *,
    policies: str,
    modes: dict[str, Mode],
    log_format: Any,
    log_level: str,
    output: str,
    register: bool,
    **options: Any,
) -> None:
    """Serve POLICIES over TLS until SIGTERM or Ctrl-C.

    POLICIES is a Python file, a folder of them, or module:app. Nothing is served until
    it can be decided. SIGTERM ends it in steps, so that no request is lost; Ctrl-C
    answers what is in flight and ends.

    \b
    Example:
      admit serve policies.py --cert-file tls.crt --key-file tls.key --workers 2
    """  # noqa: D301 - click's mark
    made = choose(
        cert_file=options["cert_file"],
        key_file=options["key_file"],
        **{name: options.pop(name) for name in CERTIFICATE_OPTIONS},
    )
    if register:
        made = and_register(made)
    order = Order(
        source=policies,
        options=ServeOptions(**options),
        made=made,
        modes=modes,
        log_format=log_format,
        log_level=log_level,
    )

    def show(serving: Serving) -> None:
        if output == "json":
            show_json(
                {
                    "host": serving.host,
                    "port": serving.port,
                    "healthPort": serving.health_port,
                    "workers": serving.workers,
                    "waiting": serving.waiting,
                }
            )
            return
        health = (
            f", health on port {serving.health_port}" if serving.health_port else ""
        )
        verb = "Waiting to serve" if serving.waiting else "Serving"
        click.echo(
            f"{verb} on https://{serving.host or '*'}:{serving.port}{health}; "
            f"workers: {serving.workers}"
        )
        if serving.waiting:
            show_note(f"nothing is served yet, no certificate: {serving.waiting}")
            show_note(f"to try it out: {ONE_LINER}")

    click.get_current_context().exit(serve(order, show))
