"""How the API server shows who it is: the files that kube-apiserver is started with.

By default it shows nothing. Its webhook plugins take credentials by the webhook's name
from a kubeconfig, which an AdmissionConfiguration names.

Source: apiserver pkg/admission/plugin/webhook/config/kubeconfig.go,
pkg/util/webhook/authentication.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from admit._tasks.dialect import dump_yaml
from admit._tasks.folder import write_folder
from admit._tasks.static import ADMISSION_FILE, PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ("Credential", "write_api_server_files")

Credential: TypeAlias = Literal["certificate", "token"]

KUBECONFIG: Final = "webhooks.kubeconfig"

# A user's members and the files that they name, which the operator puts beside the
# kubeconfig: secrets are made where they are kept.
CERTIFICATE_USER: Final = {
    "client-certificate": "client.crt",
    "client-key": "client.key",
}
TOKEN_USER: Final = {"tokenFile": "token"}

HTTPS_PORT: Final = 443


def write_api_server_files(
    configurations: Iterable[dict[str, Any]], folder: Path, credential: Credential
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write ``FOLDER/admission.yaml`` and ``FOLDER/webhooks.kubeconfig``.

    Only these webhooks are shown the credential: who runs another one could use it.

    Args:
        configurations: of the webhooks.
        folder: where the files will be on every control plane node, too.
        credential: what to show.

    Returns:
        The files that were written, and what a person has to do.

    Raises:
        ConfigError: a file cannot be written.
    """
    folder = folder.resolve()
    names = TOKEN_USER if credential == "token" else CERTIFICATE_USER
    user = {key: str(folder / name) for key, name in names.items()}
    hosts = dict.fromkeys(
        _to_host(webhook["clientConfig"])
        for configuration in configurations
        for webhook in configuration["webhooks"]
    )
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "users": [{"name": host, "user": user} for host in hosts],
    }
    written = write_folder(
        folder,
        {
            ADMISSION_FILE: dump_yaml([_admission(folder)]),
            KUBECONFIG: dump_yaml([kubeconfig]),
        },
    )
    todo = (
        f"put {' and '.join(user.values())} there, on every control plane node, and "
        f"start kube-apiserver with --admission-control-config-file="
        f"{folder / ADMISSION_FILE}"
    )
    return written, (todo,)


def _to_host(client: dict[str, Any]) -> str:
    """Return the name by which the API server looks for credentials."""
    service = client.get("service")
    if service is not None:
        host, port = f"{service['name']}.{service['namespace']}.svc", service["port"]
    else:
        url = urlsplit(client["url"])
        host, port = url.hostname or "", url.port or HTTPS_PORT
        host = f"[{host}]" if ":" in host else host
    return host if port == HTTPS_PORT else f"{host}:{port}"


def _admission(folder: Path) -> dict[str, Any]:
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": name,
                "configuration": {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "WebhookAdmissionConfiguration",
                    "kubeConfigFile": str(folder / KUBECONFIG),
                },
            }
            for name in sorted(PLUGINS.values())
        ],
    }
