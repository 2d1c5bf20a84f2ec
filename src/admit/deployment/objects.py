"""All objects of a release, in an order in which they can be applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit.certs.cert_manager import cert_manager_objects
from admit.deployment import access, monitoring, network, workload
from admit.deployment.options import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.deployment.options import DeploymentOptions
    from admit.deployment.source import Source

__all__ = ("to_objects",)


def to_objects(
    options: DeploymentOptions, source: Source, configurations: Sequence[str]
) -> tuple[dict[str, Any], ...]:
    """Return everything that a release needs but its webhook configurations.

    Shapes: plain objects, defaults included; what another needs comes before it. Apply
    the configurations after all of them.

    Args:
        options: what runs, and how.
        source: where pods find the policies.
        configurations: the names of the release's webhook configurations.
    """
    objects = [access.namespace(options)]
    if options.priority_class.startswith(SYSTEM):
        objects.append(workload.quota(options))
    objects.append(access.service_account(options))
    if options.registers:
        objects += access.secret_role(options)
        objects += access.registration_role(options, configurations)
    if options.certs == "cert-manager":
        objects += cert_manager_objects(
            options.service, options.secret_name, options.labels
        )
    if source.data:
        objects.append(workload.config_map(options, source))
    if options.client_ca:
        objects.append(workload.clients_config_map(options))
    if options.network_policy:
        objects.append(network.network_policy(options))
    objects += [
        network.service(options),
        workload.disruption_budget(options),
        workload.deployment(options, source),
    ]
    if options.max_replicas:
        objects.append(workload.autoscaler(options))
    if options.monitoring:
        objects.append(monitoring.service_monitor(options))
        objects.append(monitoring.prometheus_rule(options))
    return tuple(objects)
