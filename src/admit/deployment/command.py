"""How the container is started: the one place that knows the options of `admit serve`.

A test compares them with those that the command has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from admit.deployment.options import DeploymentOptions

__all__ = ("CERTIFICATE_FOLDER", "CLIENTS_FILE", "CLIENTS_FOLDER", "serve_arguments")

# Where the Secret of a certificate that somebody else makes is mounted; its keys are
# those of the type kubernetes.io/tls.
CERTIFICATE_FOLDER: Final = "/certificate"

# Where the authorities of clients are.
CLIENTS_FOLDER: Final = "/clients"
CLIENTS_FILE: Final = "ca.pem"


def serve_arguments(options: DeploymentOptions, source: str) -> list[str]:
    """Return the arguments of ``admit`` in the container.

    Args:
        options: what runs in the cluster.
        source: the policies, as the container finds them.
    """
    arguments = ["serve", source]
    if options.registers:
        arguments += [
            "--certs=self",
            f"--secret={options.secret_name}",
            # For the certificate's names, and for what the configurations call.
            f"--service={options.namespace}/{options.name}",
            "--register",
        ]
    else:
        arguments += [
            f"--cert-file={CERTIFICATE_FOLDER}/tls.crt",
            f"--key-file={CERTIFICATE_FOLDER}/tls.key",
        ]
    if options.client_ca:
        arguments.append(f"--client-ca-file={CLIENTS_FOLDER}/{CLIENTS_FILE}")
    arguments += [f"--client-name={name}" for name in options.client_names]
    arguments.append("--log-format=json")
    return arguments
