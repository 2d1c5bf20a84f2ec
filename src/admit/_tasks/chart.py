"""A Helm chart: the objects of a release, with what people change left open."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.deployment import to_release
from admit._tasks.dialect import dump_yaml
from admit._tasks.folder import MARK, write_folder
from admit._tasks.kustomize import name_files
from admit._tasks.load import load_policies
from admit._tasks.templating import Template, find_members
from admit._tasks.values import read_values, write_schema, write_values
from admit._version import __version__
from admit.deployment import PRIORITY_CLASS, SYSTEM
from admit.deployment.workload import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from admit._tasks.deployment import ReleaseOptions
    from admit.app import App
    from admit.deployment import DeploymentOptions

__all__ = ("write_chart",)

# Names of a release that nobody has: what a chart writes wherever they are.
NAME: Final = "zz-release-zz"
NAMESPACE: Final = "zz-namespace-zz"

HELPERS: Final = """\
{{- define "admit.name" }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name) }}
{{- fail (printf "%q: a Service needs a name of lower-case letters, digits and '-', \
the first a letter; choose another name for the release" .Release.Name) }}
{{- end }}
{{- .Release.Name }}
{{- end }}

{{- define "admit.image" }}
{{- .Values.image.repository }}{{ with .Values.image.tag }}:{{ . }}{{ end }}
{{- end }}

{{- define "admit.modes" }}
{{- $modes := list }}
{{- range $policy, $mode := .Values.modes }}
{{- $modes = append $modes (printf "%s=%s" $policy $mode) }}
{{- end }}
{{- join "," $modes }}
{{- end }}

{{- define "admit.apiServers" }}
{{- range .Values.networkPolicy.apiServers }}
- ipBlock:
    cidr: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* What sets the configurations of a release apart: see `admit manifests`. */}}
{{- define "admit.place" }}
{{- $release := (index . 0).Release }}
{{- $name := $release.Name }}
{{- $namespace := $release.Namespace }}
{{- if ne $namespace (printf "admit-%s" $name) }}.{{ $name }}.{{ $namespace }}
{{- else if ne $name (index . 1) }}.{{ $name }}
{{- end }}
{{- end }}
"""

# The first with match conditions, and all else that the objects say, for everybody.
KUBE_VERSION: Final = ">=1.30.0-0"

_CHECKED_NAME: Final = '{{ include "admit.name" . | quote }}'

_PRIORITY_CLASS: Final = "{{ .Values.priorityClassName | quote }}"

NOTES: Final = """\
{{ include "admit.image" . }} serves the policies. The webhooks are registered already:
until a pod is ready, what they match is refused or passes unseen (failurePolicy).

  kubectl rollout status -n {{ .Release.Namespace }} deployment/{{ .Release.Name }}
"""


# Kinds that are there under a condition.
CONDITIONS: Final = {
    "Namespace": ".Values.namespace.create",
    "ResourceQuota": f'hasPrefix "{SYSTEM}" .Values.priorityClassName',
    "NetworkPolicy": ".Values.networkPolicy.enabled",
    "HorizontalPodAutoscaler": ".Values.autoscaling.enabled",
    "ServiceMonitor": ".Values.monitoring.enabled",
    "PrometheusRule": ".Values.monitoring.enabled",
}

# To how many pods an autoscaler goes if it is switched on and nobody said.
MAX_REPLICAS: Final = 10


def write_chart(
    options: ReleaseOptions, folder: Path
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write the chart of policies; return its files, and the release's notes.

    What the options say is the default of its values.

    Raises:
        ConfigError: as `generate_release`, or a file cannot be written.
        PolicyError, CertificateError: as `generate_release`.
    """
    policies = load_policies(options.source, modes=options.deployment.modes)
    deployment = options.deployment.named([app.name for app in policies.apps])
    everything = to_release(
        policies, replace(options, deployment=_with_everything(deployment))
    )
    texts = {
        "Chart.yaml": _comment(dump_yaml([_describe(policies.apps, deployment)])),
        "values.yaml": _comment(write_values(read_values(deployment, everything))),
        "values.schema.json": write_schema(),
        "templates/_helpers.tpl": HELPERS,
        "templates/NOTES.txt": NOTES,
    }
    objects = (*everything.objects, *everything.configurations)
    for file, content in zip(name_files(objects), objects, strict=True):
        name = file.replace(f".{NAME}.{NAMESPACE}", "").replace(f"-{NAME}", "")
        texts[f"templates/{name}"] = _write_template(content)
        if content["metadata"]["name"].endswith(POLICIES):
            texts |= {f"policies/{key}": t for key, t in content["data"].items()}
    return write_folder(folder, texts), everything.notes


def _with_everything(options: DeploymentOptions) -> DeploymentOptions:
    """Return the options that make every object, under names to be replaced."""
    return replace(
        options,
        name=NAME,
        namespace=NAMESPACE,
        max_replicas=options.max_replicas or max(MAX_REPLICAS, options.replicas),
        priority_class=PRIORITY_CLASS,
        modes={"": "warn"},
        network_policy=True,
        api_servers=("0.0.0.0/0",),
        monitoring=True,
        monitoring_labels={},
    )


def _comment(text: str) -> str:
    return f"# {MARK}\n{text}"


def _describe(apps: Iterable[App], options: DeploymentOptions) -> dict[str, Any]:
    names = ", ".join(app.name for app in apps)
    return {
        "apiVersion": "v2",
        "name": options.name,
        "description": f"Admission policies: {names}",
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
        "kubeVersion": KUBE_VERSION,
    }


def _write_template(content: dict[str, Any]) -> str:
    """Return the template of an object of a release with everything."""
    content = copy.deepcopy(content)
    template = Template(content)
    for labels in find_members(content, "app.kubernetes.io/managed-by"):
        action = "{{ .Release.Service }}"
        template.line(labels, "app.kubernetes.io/managed-by", action)
    opened = _OPENED.get(content["kind"])
    if opened:
        opened(template, content)
    template.name(
        {
            **_places(content),
            NAMESPACE: "{{ .Release.Namespace }}",
            NAME: "{{ .Release.Name }}",
        }
    )
    text = template.write(CONDITIONS.get(content["kind"], ""))
    return f"{{{{- /* {MARK} */}}}}\n{text}"


def _places(content: dict[str, Any]) -> dict[str, str]:
    """Return what names configurations, app by app: see `Target.name_configuration`."""
    found = re.findall(rf"([-a-z0-9]+)\.{NAME}\.{NAMESPACE}\.", repr(content))
    return {
        f"{app}.{NAME}.{NAMESPACE}.": (
            f'{app}{{{{ include "admit.place" (list . "{app}") }}}}.'
        )
        for app in sorted(set(found), key=len, reverse=True)
    }


def _open_deployment(template: Template, content: dict[str, Any]) -> None:
    template.line(content["metadata"], "name", _CHECKED_NAME)
    spec = content["spec"] = {"replicas": None, **content["spec"]}
    template.line(spec, "replicas", "{{ .Values.replicas }}")
    template.optional(spec, "replicas", "not .Values.autoscaling.enabled")
    metadata = spec["template"]["metadata"]
    _open_optional(template, metadata, "annotations", ".Values.podAnnotations")
    pod = spec["template"]["spec"]
    _open_container(template, pod["containers"][0])
    template.line(pod, "priorityClassName", _PRIORITY_CLASS)
    template.optional(pod, "priorityClassName", ".Values.priorityClassName")
    for name in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity"):
        _open_optional(template, pod, name, f".Values.{name}")


def _open_optional(
    template: Template, parent: dict[str, Any], key: str, expression: str
) -> None:
    template.block(parent, key, expression)
    template.optional(parent, key, expression)


def _open_container(template: Template, container: dict[str, Any]) -> None:
    template.line(container, "image", '{{ include "admit.image" . | quote }}')
    template.line(container, "imagePullPolicy", "{{ .Values.image.pullPolicy }}")
    template.block(container, "resources", ".Values.resources")
    (modes,) = container["env"]
    template.line(modes, "value", '{{ include "admit.modes" . | quote }}')
    template.optional(container, "env", ".Values.modes")
    template.items(container["args"], ".Values.extraArgs")


def _open_autoscaler(template: Template, content: dict[str, Any]) -> None:
    spec = content["spec"]
    autoscaling = ".Values.autoscaling"
    template.line(spec, "minReplicas", "{{ .Values.replicas }}")
    template.line(spec, "maxReplicas", f"{{{{ {autoscaling}.maxReplicas }}}}")
    (target,) = find_members(spec, "averageUtilization")
    action = f"{{{{ {autoscaling}.targetCPUUtilizationPercentage }}}}"
    template.line(target, "averageUtilization", action)


def _open_quota(template: Template, content: dict[str, Any]) -> None:
    (scope,) = find_members(content, "scopeName")
    template.line(scope["values"], 0, _PRIORITY_CLASS)


def _open_config_map(template: Template, content: dict[str, Any]) -> None:
    """Leave the policies in files of the chart: these, whatever else lies there."""
    if not content["metadata"]["name"].endswith(POLICIES):
        return
    keys = ",".join(sorted(content["data"]))
    action = f'{{{{- (.Files.Glob "policies/{{{keys}}}").AsConfig | nindent 2 }}}}'
    template.line(content, "data", action)


def _open_monitoring(template: Template, content: dict[str, Any]) -> None:
    template.members(content["metadata"]["labels"], ".Values.monitoring.labels")


def _open_network_policy(template: Template, content: dict[str, Any]) -> None:
    for name in ("from", "to"):
        for rule in find_members(content, name):
            if find_members(rule[name], "ipBlock"):
                action = '{{- include "admit.apiServers" . | indent 4 }}'
                template.line(rule, name, action)
                template.optional(rule, name, ".Values.networkPolicy.apiServers")


def _open_configuration(template: Template, content: dict[str, Any]) -> None:
    for webhook in content["webhooks"]:
        said = webhook["failurePolicy"]
        action = f'{{{{ .Values.failurePolicy | default "{said}" }}}}'
        template.line(webhook, "failurePolicy", action)
    for term in find_members(content, "values"):
        if NAMESPACE in term["values"]:
            # Where the release's namespace stands among the others, its name says.
            others = " ".join(f'"{n}"' for n in term["values"] if n != NAMESPACE)
            expression = f"(list {others} .Release.Namespace | sortAlpha)"
            template.block(term, "values", expression)


_OPENED: Final[dict[str, Callable[[Template, dict[str, Any]], None]]] = {
    "ConfigMap": _open_config_map,
    "Deployment": _open_deployment,
    "HorizontalPodAutoscaler": _open_autoscaler,
    "MutatingWebhookConfiguration": _open_configuration,
    "NetworkPolicy": _open_network_policy,
    "PrometheusRule": _open_monitoring,
    "ResourceQuota": _open_quota,
    "ServiceMonitor": _open_monitoring,
    "ValidatingWebhookConfiguration": _open_configuration,
}
