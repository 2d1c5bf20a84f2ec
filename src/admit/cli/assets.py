"""`admit assets`: the programs of a control plane, fetched."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from admit._tasks.assets import INDEX_URL, AssetsOptions, fetch_assets
from admit.cli.options import debug_option, output_option
from admit.cli.output import show_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit._tasks.assets import Progress

__all__ = ("command",)


@click.command(
    "assets", short_help="Fetch a real API server for `admit dev` and tests."
)
@click.option(
    "--kubernetes",
    "version",
    metavar="VERSION",
    help="Such as 1.37 or 1.37.2.  [default: the newest]",
)
@click.option("--index", "index_url", default=INDEX_URL, help="Address of the index.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to install below.  [default: ~/.cache/admit/assets]",
)
@output_option()
@debug_option
def command(*, output: str, **options: Any) -> None:
    """Fetch etcd, kube-apiserver and kubectl as the Kubernetes project publishes them.

    The archive's checksum is verified; what is there already is not fetched again.
    The last line is the folder, which `admit dev` and `admit.testing` find by
    themselves. In a clone of admit, `make assets` builds the same from source.

    \b
    Examples:
      admit assets
      export KUBEBUILDER_ASSETS=$(admit assets --kubernetes 1.37)
    """  # noqa: D301 - click's mark
    with _shown_progress() as progress:
        report = fetch_assets(AssetsOptions(**options, on_progress=progress))
    if output == "json":
        show_json(
            {
                "version": report.version,
                "folder": str(report.folder),
                "programs": report.programs,
                "url": report.url,
                "sizeBytes": report.size_bytes,
            }
        )
    else:
        click.echo(
            f"Kubernetes {report.version}: {', '.join(report.programs)}", err=True
        )
        click.echo(report.folder)


@contextmanager
def _shown_progress() -> Iterator[Progress | None]:
    """Show a bar while somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - for a terminal alone
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("fetch")
        yield lambda done, total: bar.update(task, completed=done, total=total)
