"""Where to connect to, and as whom: a kubeconfig as kubectl has it, or the pod's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from admit._cluster.cluster import Cluster
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lightkube.config.kubeconfig import SingleConfig

__all__ = ("connect",)

# The longest answer: a webhook may take 30 s, and several run in turn.
READ_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 5.0

# What lightkube raises for a file that is YAML and no kubeconfig: it does not ask.
_TAKEN_APART: Final = (KeyError, TypeError, AttributeError, ValueError)

_KUBECONFIG: Final = "~/.kube/config"
_HINT: Final = (
    "--kubeconfig FILE, or KUBECONFIG; kubectl config get-contexts lists them"
)


@contextlib.asynccontextmanager
async def connect(kubeconfig: str = "", context: str = "") -> AsyncIterator[Cluster]:
    """Connect to the cluster of a kubeconfig, or to the one that this pod is in.

    Args:
        kubeconfig: a file; by default ``$KUBECONFIG``, then the pod's own service
            account, then ``~/.kube/config``.
        context: in the file; by default its current one.

    Raises:
        ConfigError: there is no such file or context, or it makes no sense
            (operator's fault).
    """
    import httpx2  # noqa: PLC0415 - import admit must not load it
    import yaml  # noqa: PLC0415
    from lightkube.config.client_adapter import (  # noqa: PLC0415
        AsyncClient,
        ConnectionParams,
    )
    from lightkube.core.exceptions import (  # noqa: PLC0415
        ConfigError as NotUsableError,
    )

    timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    try:
        config = _find_config(kubeconfig, context)
        http = AsyncClient(config, ConnectionParams(timeout=timeout))
    except NotUsableError as error:
        raise ConfigError(str(error), place=kubeconfig or None, hint=_HINT) from error
    except (yaml.YAMLError, OSError, *_TAKEN_APART) as error:
        raise ConfigError(
            f"not a kubeconfig: {type(error).__name__}: {error}",
            place=kubeconfig or os.environ.get("KUBECONFIG") or _KUBECONFIG,
            hint=_HINT,
        ) from error
    async with http:
        yield Cluster(http, config.cluster.server, config.namespace)


def _find_config(kubeconfig: str, context: str) -> SingleConfig:
    from lightkube.config.kubeconfig import KubeConfig  # noqa: PLC0415

    # Several files may be named; kubectl merges them, here the first counts.
    named = kubeconfig or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    if not named and "KUBERNETES_SERVICE_HOST" in os.environ:
        found = KubeConfig.from_service_account()
    elif not named and not Path(_KUBECONFIG).expanduser().is_file():
        raise ConfigError(
            f"no cluster to talk to: there is no {_KUBECONFIG}", hint=_HINT
        )
    else:
        found = KubeConfig.from_file(named or _KUBECONFIG)
    config = found.get(context or None)
    if config is None or config.user is None:
        raise ConfigError("the context names no user", place=named or None, hint=_HINT)
    return config
