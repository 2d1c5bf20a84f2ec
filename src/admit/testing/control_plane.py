"""A real API server with its etcd, started here and stopped with this Python."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from admit.errors import ClusterError, ConfigError
from admit.testing import programs
from admit.testing.assets import CONTROLLER_MANAGER, find_missing, get_assets
from admit.testing.credentials import Authority
from admit.testing.kubectl import KUBECTL_TIMEOUT_SECONDS, run_kubectl
from admit.testing.process import Process, wait_ready
from admit.testing.registering import registered
from admit.testing.snapshots import restore_data, save_snapshot
from admit.testing.users import User, issue_user

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from admit.testing.client import Client

# Ready takes three seconds on an idle machine; a busy one may need ten times that.
START_TIMEOUT_SECONDS = 60.0

API_SERVER = "kube-apiserver"

# Another program may take the port between our look and the API server's bind.
PORT_ATTEMPTS = 5
PORT_TAKEN = "address already in use"
PORT_PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class _Running:
    """What exists between start and stop."""

    folder: Path
    authority: Authority
    processes: dict[str, Process] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    url: str = ""
    admin: User | None = None


class ControlPlane:
    """Run etcd and kube-apiserver on free ports; stop and remove them at the end.

        with ControlPlane() as cluster:
            cluster.kubectl("get", "namespaces")

    Ready means: ``/readyz`` says ok and the namespace ``default`` exists. RBAC is on,
    privileged pods are allowed, all default admission plugins but ServiceAccount are
    on. Several may run at once. The programs are stopped, and their data removed,
    when this Python ends in whatever way (see `admit.testing.guard`).

    All methods block; from async code call them with ``asyncio.to_thread``.

    Args:
        assets: folder of the programs; found by `get_assets` if not given.
        flags: more flags of kube-apiserver, such as ``--v=4``; they win over ours.
            For addresses that pods can reach give ``--advertise-address`` and
            ``--endpoint-reconciler-type=lease``.
        controller_manager: run kube-controller-manager too, and with it ServiceAccount
            admission; without it the roles view, edit and admin are empty and
            deleted namespaces stay. Envtest archives do not hold it; ``make assets``
            builds it.
        audit_level: write every request to an audit log at this level: ``Metadata``,
            ``Request`` or ``RequestResponse``.
        start_timeout_seconds: how long all of it may take to become ready.

    Raises:
        ConfigError: there are no assets, or they lack what is asked for.
    """

    def __init__(
        self,
        *,
        assets: Path | str | None = None,
        flags: Sequence[str] = (),
        controller_manager: bool = False,
        audit_level: programs.AuditLevel | None = None,
        start_timeout_seconds: float = START_TIMEOUT_SECONDS,
    ) -> None:
        self.assets = get_assets(assets)
        self._flags = tuple(flags)
        self._controller_manager = controller_manager
        self._audit_level: programs.AuditLevel | None = audit_level
        self._start_timeout_seconds = start_timeout_seconds
        self._running: _Running | None = None
        if controller_manager and find_missing(self.assets, (CONTROLLER_MANAGER,)):
            raise ConfigError(
                f"{self.assets} does not hold {CONTROLLER_MANAGER}",
                hint="`make assets` in a clone of admit builds it",
            )

    def start(self) -> None:
        """Start everything and wait until it is ready.

        Raises:
            ClusterError: a program ended or was not ready in time; the message has
                the last lines of its log. Nothing is left running.
        """
        if self._running is not None:
            raise ConfigError("the control plane is running already")
        authority = Authority()
        # From here on there is something to clear away.
        folder = Path(tempfile.mkdtemp(prefix="admit-"))
        running = self._running = _Running(folder, authority)
        try:
            programs.write_files(folder, running.authority, self._audit_level)
            deadline = time.monotonic() + self._start_timeout_seconds
            # The last to stop removes the folder.
            self._launch("etcd", programs.etcd_flags(folder), folder=folder)
            self._start_api_server(deadline)
            if self._controller_manager:
                self._start_controller_manager(deadline)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and remove its data; may be called again.

        In the reverse order of the start: an API server without its etcd ignores
        SIGTERM.
        """
        if self._running is None:
            return
        running, self._running = self._running, None
        for client in running.clients:
            client.close()
        for process in reversed(running.processes.values()):
            process.stop()
        shutil.rmtree(running.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop_api_server(self) -> None:
        """End kube-apiserver alone, at once; all else goes on, and cannot reach it."""
        self._state.processes[API_SERVER].kill()

    def start_api_server(self, *flags: str) -> None:
        """Start kube-apiserver again, at the same address and with the same data.

        ``flags`` come on top of those it has, until it is started again.

        Raises:
            ClusterError: it is not ready in time; the message has the logs.
        """
        deadline = time.monotonic() + self._start_timeout_seconds
        while True:
            process = self._launch_api_server(flags)
            try:
                return self._wait_ready(self._is_ready, deadline)
            except ClusterError:
                # Somebody's connection may have taken the port meanwhile: it ends.
                if PORT_TAKEN not in process.tail() or time.monotonic() > deadline:
                    raise
                time.sleep(PORT_PAUSE_SECONDS)

    def save_snapshot(self, file: Path) -> None:
        """Write a snapshot of etcd.

        Raises:
            ClusterError: etcd did not give one.
        """
        save_snapshot(self._state.folder / "etcd.sock", file)

    def restore_snapshot(self, file: Path) -> None:
        """Go on from a snapshot, at the same address: API server and etcd start anew.

        Raises:
            ConfigError: the assets hold no etcdutl.
            ClusterError: it is no snapshot, or nothing is ready in time.
        """
        state = self._state
        state.processes[API_SERVER].kill()
        state.processes["etcd"].kill()
        peer = f"unix://{state.folder}/peer.sock"
        restore_data(self.assets, file, state.folder / "etcd", peer)
        self._launch("etcd", programs.etcd_flags(state.folder), folder=state.folder)
        self.start_api_server()

    @property
    def url(self) -> str:
        """Where the API server is: ``https://127.0.0.1:PORT``."""
        return self._state.url

    @property
    def ca_file(self) -> Path:
        """The authority of the API server's certificate, in PEM."""
        return self._state.folder / "ca.pem"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig; complete in itself, so it may be copied."""
        return self._admin.kubeconfig

    @property
    def client(self) -> Client:
        """The client of a user in ``system:masters``, who may do everything."""
        return self._admin.client

    @property
    def logs(self) -> dict[str, Path]:
        """The log file of each program by its name; removed by `stop`."""
        return {name: p.log for name, p in self._state.processes.items()}

    def add_user(self, name: str, groups: Sequence[str] = ()) -> User:
        """Return a user with a kubeconfig and client; RBAC says what they may do.

        The name is at most 64 characters, a limit of certificates; for longer ones
        see `Client.impersonate`.
        """
        state = self._state
        user = issue_user(
            state.authority, state.url, state.folder, name=name, groups=groups
        )
        state.clients.append(user.client)
        return user

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,
        kubeconfig: Path | None = None,
        timeout_seconds: float = KUBECTL_TIMEOUT_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the admin; return exit code, stdout and stderr as text.

        ``input`` is what it reads at ``-f -``; ``kubeconfig`` makes it another user.

        Raises:
            ClusterError: it did not end in time.
        """
        return run_kubectl(
            self.assets / "kubectl",
            arguments,
            kubeconfig=kubeconfig or self.kubeconfig,
            # A home of its own: nothing cached from another control plane.
            home=self._state.folder,
            input=input,
            timeout_seconds=timeout_seconds,
        )

    @contextmanager
    def registered(
        self,
        *configurations: Mapping[str, Any],
        probe: Mapping[str, Any] | Callable[[], object],
        seconds: float = 30.0,
    ) -> Iterator[None]:
        """Have webhook configurations in effect inside a ``with`` block.

        Applies them, sends the probe until the API server calls a webhook of each,
        and at the end deletes them and waits until none is called.

        Args:
            configurations: Validating- or MutatingWebhookConfiguration objects.
            probe: an object whose creation they match, created with ``dryRun``; or a
                function that sends any other request they match.
            seconds: how long to wait at most, each time.

        Raises:
            ClusterError: not in effect within that time; has the probe's last answer.
        """
        with registered(self.client, configurations, probe=probe, seconds=seconds):
            yield

    def audit_events(self) -> list[dict[str, Any]]:
        """Return the audit log so far, an ``audit.k8s.io/v1`` Event for each request.

        Raises:
            ConfigError: this control plane was made without ``audit_level``.
        """
        if self._audit_level is None:
            raise ConfigError("there is no audit log", hint="give it an audit_level")
        log = self._state.folder / "audit.log"
        return [json.loads(line) for line in log.read_text().splitlines()]

    @property
    def _state(self) -> _Running:
        if self._running is None:
            raise ConfigError(
                "the control plane is not running",
                hint="use it inside `with ControlPlane() as cluster:`",
            )
        return self._running

    @property
    def _admin(self) -> User:
        state = self._state
        if state.admin is None:
            state.admin = self.add_user("admin", ["system:masters"])
        return state.admin

    def _start_api_server(self, deadline: float) -> None:
        attempts = 0
        while True:
            attempts += 1
            self._state.url = f"https://127.0.0.1:{self._pick_port()}"
            self._state.admin = None
            process = self._launch_api_server()
            try:
                return self._wait_ready(self._is_ready, deadline)
            except ClusterError:
                if attempts == PORT_ATTEMPTS or PORT_TAKEN not in process.tail():
                    raise
                process.stop()

    def _launch_api_server(self, more: Sequence[str] = ()) -> Process:
        flags = programs.api_server_flags(
            self._state.folder,
            int(self.url.rpartition(":")[2]),
            service_accounts=self._controller_manager,
            audit_level=self._audit_level,
        )
        flags += (*self._flags, *more)
        return self._launch(API_SERVER, flags, needs="etcd")

    def _pick_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    def _is_ready(self) -> bool:
        """Ready to serve, and the bootstrap has made the namespace that all use."""
        paths = ("/readyz", "/api/v1/namespaces/default")
        return all(self.client.send("GET", path).code == 200 for path in paths)

    def _start_controller_manager(self, deadline: float) -> None:
        flags = programs.controller_manager_flags(self._state.folder, self.kubeconfig)
        self._launch(CONTROLLER_MANAGER, flags, needs=API_SERVER)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait_ready(lambda: self.client.send("GET", account).code == 200, deadline)

    def _launch(
        self,
        name: str,
        flags: Sequence[str],
        *,
        needs: str | None = None,
        folder: Path | None = None,
    ) -> Process:
        state = self._state
        process = state.processes[name] = Process(
            [str(self.assets / name), *flags],
            state.folder / f"{name}.log",
            needs=state.processes[needs] if needs else None,
            folder=folder,
        )
        return process

    def _wait_ready(self, is_ready: Callable[[], bool], deadline: float) -> None:
        """Wait until all is ready or a program has ended."""
        wait_ready(
            self._state.processes.values(),
            is_ready,
            what="the control plane",
            seconds=deadline - time.monotonic(),
        )
