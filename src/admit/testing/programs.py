"""How each program of a control plane is called, and the files it reads.

Pure: folders and ports in, command lines and file contents out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import yaml

from admit.testing.credentials import generate_key

if TYPE_CHECKING:
    from pathlib import Path

    from admit.testing.credentials import Authority

AuditLevel = Literal["Metadata", "Request", "RequestResponse"]


def write_files(
    folder: Path, authority: Authority, audit_level: AuditLevel | None
) -> None:
    """Write what the programs read: certificates, keys, the audit policy."""
    certificate, key = authority.issue_server()
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": audit_level or "None"}],
    }
    for name, data in {
        "ca.pem": authority.pem,
        "server.pem": certificate,
        "server-key.pem": key,
        "tokens-key.pem": generate_key(),
        "audit-policy.yaml": yaml.safe_dump(policy).encode(),
    }.items():
        (folder / name).write_bytes(data)


def etcd_flags(folder: Path) -> tuple[str, ...]:
    """Return etcd's flags."""
    # Sockets in a folder of ours: no port to race for, and no one else gets in.
    client, peer = (f"unix://{folder}/{name}.sock" for name in ("etcd", "peer"))
    return (
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # Nothing here has to survive a power cut.
        "--unsafe-no-fsync",
    )


def api_server_flags(
    folder: Path,
    port: int,
    *,
    service_accounts: bool,
    audit_level: AuditLevel | None,
) -> tuple[str, ...]:
    """Return kube-apiserver's flags.

    ``service_accounts``: someone makes those that ServiceAccount admission asks for.
    """
    flags = [
        f"--etcd-servers=unix://{folder}/etcd.sock",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        # Without these it looks for a default route, and fails where there is none.
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={folder}/server.pem",
        f"--tls-private-key-file={folder}/server-key.pem",
        f"--client-ca-file={folder}/ca.pem",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder}/tokens-key.pem",
        f"--service-account-signing-key-file={folder}/tokens-key.pem",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        # Else its own validation refuses what a policy is to refuse.
        "--allow-privileged=true",
    ]
    if not service_accounts:
        flags.append("--disable-admission-plugins=ServiceAccount")
    if audit_level is not None:
        flags.append(f"--audit-policy-file={folder}/audit-policy.yaml")
        flags.append(f"--audit-log-path={folder}/audit.log")
    return tuple(flags)


def controller_manager_flags(folder: Path, kubeconfig: Path) -> tuple[str, ...]:
    """Return kube-controller-manager's flags."""
    return (
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={folder}/tokens-key.pem",
        f"--root-ca-file={folder}/ca.pem",
        "--leader-elect=false",
        # Serves nothing; its work says whether it is well.
        "--secure-port=0",
    )
