"""Writes that never pause: two clients that create and change pods, and count failures.

The pods are held back from the scheduler: the webhooks see them, and no container starts.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from admit.errors import ClusterError
from tests.node import workloads

if TYPE_CHECKING:
    from admit.testing import Client
    from tests.node.clusters import Cluster

CLIENTS = 2

# Each pod is made once and changed so often before it goes.
CHANGES = 8


@dataclass
class Traffic:
    """Goes on inside a ``with`` block; afterwards `sent` and `failures` are final.

    Args:
        labels: what the policies want to see on a pod.
    """

    cluster: Cluster
    namespace: str
    labels: dict[str, str]
    sent: int = 0
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(f"traffic-{number}",))
            for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _write(self, name: str) -> None:
        client = self.cluster.client
        pod = self._make_pod(name)
        while not self._ended.is_set():
            if not self._send(client, "create", pod):
                continue
            for number in range(CHANGES):
                change = {"metadata": {"annotations": {"change": str(number)}}}
                self._send(client, "patch", pod, change)
            client.delete(pod, params={"gracePeriodSeconds": "0"})

    def _send(self, client: Client, verb: str, *arguments: Any) -> bool:
        try:
            getattr(client, verb)(*arguments)
        except ClusterError as error:
            outcome = str(error)
        else:
            outcome = ""
        with self._lock:
            self.sent += 1
            if outcome:
                self.failures.append(outcome)
        return not outcome

    def _make_pod(self, name: str) -> dict[str, Any]:
        made = workloads.make_deployment(name, self.namespace, image="none", code="")
        spec = made["spec"]["template"]["spec"]
        spec["schedulingGates"] = [{"name": "example.com/never"}]
        metadata = {"name": name, "namespace": self.namespace, "labels": self.labels}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
