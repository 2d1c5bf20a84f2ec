"""`admit dev`: a real API server that asks the policies one is writing.

Policies are loaded beside those that serve and swapped in when they are whole: a file
that does not load leaves things as they were. Everything started here is stopped and
removed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.events import Broken, Ready, Reloaded, Starting, Watched
from admit._tasks.manifests import Target, to_configurations
from admit._tasks.registered import Registered
from admit._tasks.reload import Reloader
from admit._tasks.serve import run
from admit.errors import AdmitError, ClusterError, ConfigError
from admit.server import ServeOptions, Server, catch_signals
from admit.testing import ControlPlane
from admit.testing.credentials import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from admit._handler import Mode
    from admit._tasks.events import Event
    from admit._tasks.load import Policies

__all__ = ("DevOptions", "develop")

# Between two looks at the files: one does not wait for it, and it costs nothing.
LOOK_SECONDS: Final = 0.2

# For reviews in flight when one stops; nobody waits for them any more.
DRAIN_SECONDS: Final = 2.0

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """Which policies, and with what to run them.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        port: where the webhook listens; 0 takes a free one.
        assets: folder of the control plane's programs; found if not given.
        kubeconfig: where to put a kubeconfig for as long as this runs; it must not
            exist. One is written in any case, to a temporary place.
    """

    source: str
    port: int = 0
    assets: str = ""
    kubeconfig: str = ""
    modes: Mapping[str, Mode] = field(default_factory=dict)


def develop(options: DevOptions, tell: Callable[[Event], None]) -> None:
    """Run until SIGINT or SIGTERM; leave nothing.

    Args:
        options: which policies, and with what to run them.
        tell: called with everything that happens, in the thread that called this.

    Raises:
        PolicyError: the policies cannot be loaded to begin with (author's fault).
        ConfigError: there is no control plane to start, or an address is taken.
        ClusterError: the control plane did not start, or refused the configurations.
        KeyboardInterrupt: it was stopped before it was ready.
    """
    reloader = Reloader(options.source, modes=options.modes, look_seconds=LOOK_SECONDS)
    policies = reloader.load()
    plane = ControlPlane(assets=options.assets or None)
    desk = _Desk(options, reloader, policies, tell)
    try:
        with _terminated_as_interrupted(), _new_folder() as folder:
            tell(Starting(assets=str(plane.assets)))
            with plane, _published(plane, options.kubeconfig) as kubeconfig:
                run(desk.run(plane, folder, kubeconfig))
                _interrupt_on_sigterm()  # the loop has taken it back
    finally:
        for each in desk.every:
            each.close()


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that everything is cleared away."""
    before = signal.getsignal(signal.SIGTERM)
    _interrupt_on_sigterm()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextlib.contextmanager
def _new_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="admit-dev-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _published(plane: ControlPlane, wanted: str) -> Iterator[Path]:
    """Put a kubeconfig where it was wanted, and take it away again."""
    if not wanted:
        yield plane.kubeconfig
        return
    path = Path(wanted).absolute()
    try:
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(plane.kubeconfig.read_text())
    except FileExistsError:
        raise ConfigError(
            "the file exists", place=wanted, hint="name one that does not"
        ) from None
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


class _Desk:
    """The policies at work: served, registered, looked at for changes."""

    def __init__(
        self,
        options: DevOptions,
        reloader: Reloader,
        policies: Policies,
        tell: Callable[[Event], None],
    ) -> None:
        self._options = options
        self._reloader = reloader
        self._policies = policies
        self._tell = tell
        self._registered: Registered
        self._server: Server
        self._target = Target()
        self.every = [policies]

    async def run(self, plane: ControlPlane, folder: Path, kubeconfig: Path) -> int:
        """Serve, register, say so, and reload until a signal comes."""
        authority = Authority()
        certificate, key = authority.issue_server()
        pair = folder / "webhook.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(certificate + key)
        self._server = Server(
            ServeOptions(
                cert_file=str(pair),
                key_file=str(pair),
                host=HOST,
                port=self._options.port,
                health_port=None,
                drain_seconds=DRAIN_SECONDS,
            )
        )
        with catch_signals(asyncio.get_running_loop()) as stop:
            await self._server.start()
            url = f"https://{HOST}:{self._server.port}"
            self._target = Target(url=url, ca_bundle=authority.pem)
            self._registered = Registered(plane.client, self._target)
            work = asyncio.create_task(self._work(plane, kubeconfig))
            asked = asyncio.create_task(stop.asked.wait())
            await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            failed = work.done()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({work})
            await self._server.stop(hurry=stop.hurry)
        if failed:
            work.result()
        return 0

    async def _work(self, plane: ControlPlane, kubeconfig: Path) -> None:
        await self._use(self._policies)
        self._tell(
            Ready(
                kubeconfig=str(kubeconfig),
                kubectl=str(plane.assets / "kubectl"),
                kubectl_on_path=shutil.which("kubectl") is not None,
                api_server=plane.url,
                webhook=self._target.url,
                webhooks=[
                    endpoint.webhook_name for endpoint in self._policies.routes.values()
                ],
            )
        )
        while True:
            await self._reload()

    async def _reload(self) -> None:
        """Take what the files say when they have changed, or say why not."""
        old = self._policies
        try:
            new = await self._reloader.wait()
            self.every.append(new)
            await self._use(new, old)
        except AdmitError as error:
            self._tell(Broken.of(error))
            if isinstance(error, ClusterError):
                with contextlib.suppress(ClusterError):
                    await self._use(old)
            return
        self._policies = new
        count = sum(len(app.handlers) for app in new.apps)
        self._tell(Reloaded(policies=count, version=new.version))

    async def _use(self, policies: Policies, old: Policies | None = None) -> None:
        """Serve these policies and have the API server ask them.

        While it still knows the old configurations, their paths are answered too.
        """
        routes = self._watched(policies)
        before = self._watched(old) if old is not None else {}
        self._serve({**before, **routes})
        configurations, _ = to_configurations(policies, self._target)
        await self._registered.replace(configurations)
        self._serve(routes)

    def _serve(self, routes: dict[str, Any]) -> None:
        self._server.set_routes({**routes, **self._registered.routes})

    def _watched(self, policies: Policies) -> dict[str, Any]:
        return {
            path: Watched(endpoint, self._tell)
            for path, endpoint in policies.routes.items()
        }
