"""What policies need to run in a cluster: a source in, every object out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from admit._tasks.load import load_policies
from admit._tasks.manifests import (
    Target,
    explain_missing_ca,
    read_ca,
    to_configurations,
)
from admit.certs.cert_manager import injection_annotations
from admit.deployment import DEFAULT_IMAGE, DeploymentOptions, read_source, to_objects
from admit.errors import ConfigError
from admit.webhook import ServiceReference

if TYPE_CHECKING:
    from admit._tasks.load import Policies

__all__ = ("PoliciesIn", "Release", "ReleaseOptions", "generate_release", "to_release")

PoliciesIn: TypeAlias = Literal["configmap", "image"]

# What annotations may be long together; kubectl keeps the whole object in one
# (apimachinery pkg/api/validation, TotalAnnotationSizeLimitB).
ANNOTATIONS_LIMIT_BYTES: Final = 256 * 1024

_TOO_LONG_TO_ANNOTATE: Final = (
    "the policies are too long for `kubectl apply -f -`, which keeps a copy in an "
    "annotation; use `kubectl apply --server-side -f -`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """Which policies, and how they run.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        deployment: what runs; a name that is not given is the app's. Its modes hold
            in the cluster.
        policies_in: how the policies get into the pods.
        ca_file: PEM file of the authority that signs the certificate, where the pods
            do not make it.
    """

    source: str
    deployment: DeploymentOptions = field(default_factory=DeploymentOptions)
    policies_in: PoliciesIn = "configmap"
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Everything that policies need in a cluster.

    Args:
        options: with the names that were derived.
        objects: all but the configurations, in an order in which they can be applied.
        configurations: what registers the webhooks; to be applied last.
        notes: what a person should know.
    """

    options: DeploymentOptions
    objects: tuple[dict[str, Any], ...]
    configurations: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def generate_release(options: ReleaseOptions) -> Release:
    """Load policies and return what they need.

    Raises:
        ConfigError: a name or number makes no sense, nothing can be loaded, or the
            policies do not fit into a ConfigMap.
        PolicyError: a policy cannot be loaded or registered; file and line.
        CertificateError: the CA file holds no certificate.
    """
    policies = load_policies(options.source, modes=options.deployment.modes)
    return to_release(policies, options)


def to_release(policies: Policies, options: ReleaseOptions) -> Release:
    """Return what loaded policies need.

    Raises:
        ConfigError, PolicyError, CertificateError: as `generate_release`.
    """
    deployment = options.deployment.named([app.name for app in policies.apps])
    if options.policies_in == "image" and deployment.image == DEFAULT_IMAGE:
        raise ConfigError(
            f"{DEFAULT_IMAGE} has no policies",
            place="--image",
            hint="name an image that is made from it and has them",
        )
    source = read_source(
        options.source, policies.files, in_image=options.policies_in == "image"
    )
    target = Target(
        service=ServiceReference(
            name=deployment.name, namespace=deployment.namespace, path="/"
        ),
        ca_bundle=read_ca(options.ca_file) if options.ca_file else None,
    )
    configurations, notes = to_configurations(policies, target)
    if deployment.certs == "cert-manager":
        for configuration in configurations:
            annotations = injection_annotations(deployment.service)
            configuration["metadata"]["annotations"] = annotations
    names = [configuration["metadata"]["name"] for configuration in configurations]
    objects = to_objects(deployment, source, names)
    if deployment.certs == "files" and not target.ca_bundle:
        notes = (explain_missing_ca(target), *notes)
    if source.size_bytes > ANNOTATIONS_LIMIT_BYTES:
        notes = (_TOO_LONG_TO_ANNOTATE, *notes)
    return Release(
        options=deployment,
        objects=objects,
        configurations=configurations,
        notes=notes,
    )
