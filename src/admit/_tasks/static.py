"""Static manifests: webhook configurations that the API server reads from a directory.

They hold before anything can be asked of the API, nobody can delete them through it,
and they see what no other webhook sees: webhook configurations themselves. Kubernetes
1.37 has them on by default.

Source: KEP-5793; apiserver pkg/admission/plugin/webhook/manifest/loader/loader.go.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.dialect import dump_yaml
from admit._tasks.folder import write_folder
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ("ADMISSION_FILE", "PLUGINS", "write_static_manifests")

SUFFIX: Final = ".static.k8s.io"

# Each plugin reads a directory of its own: of another's kind it would take nothing.
FOLDERS: Final = {
    "MutatingWebhookConfiguration": "mutating",
    "ValidatingWebhookConfiguration": "validating",
}
PLUGINS: Final = {
    "mutating": "MutatingAdmissionWebhook",
    "validating": "ValidatingAdmissionWebhook",
}

# What --admission-control-config-file of kube-apiserver names.
ADMISSION_FILE: Final = "admission.yaml"


def write_static_manifests(
    configurations: Iterable[dict[str, Any]], folder: Path
) -> tuple[Path, ...]:
    """Write the directories, and the file that names them; return what was written.

    Shapes: ``FOLDER/validating/NAME.yaml``, ``FOLDER/mutating/NAME.yaml`` and
    ``FOLDER/admission.yaml``, an AdmissionConfiguration. A file is replaced as a whole,
    because the API server reads it as soon as it changes.

    Raises:
        ConfigError: a webhook is behind a Service, which a static one cannot be, or a
            file cannot be written.
    """
    folder = folder.resolve()
    texts: dict[str, str] = {}
    used = set()
    for configuration in configurations:
        static = _to_static(configuration)
        below = FOLDERS[static["kind"]]
        used.add(below)
        name = static["metadata"]["name"].removesuffix(SUFFIX)
        texts[f"{below}/{name}.yaml"] = dump_yaml([static])
    texts[ADMISSION_FILE] = dump_yaml([_admission(folder, sorted(used))])
    return write_folder(folder, texts)


def _to_static(configuration: dict[str, Any]) -> dict[str, Any]:
    static = copy.deepcopy(configuration)
    static["metadata"]["name"] += SUFFIX
    for webhook in static["webhooks"]:
        if "service" in webhook["clientConfig"]:
            raise ConfigError(
                "a static webhook cannot be behind a Service",
                place="--service",
                hint="give --url https://host:port, which needs no cluster to be found",
            )
    return static


def _admission(folder: Path, used: list[str]) -> dict[str, Any]:
    plugins = [
        {
            "name": PLUGINS[name],
            "configuration": {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "WebhookAdmissionConfiguration",
                "staticManifestsDir": str(folder / name),
            },
        }
        for name in used
    ]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins,
    }
