import pytest
from policies import (
    archive_is_read_only,
    host_network_is_reserved,
    nothing_runs_in_default,
)

from admit import ConfigMap, Deny, Pod


def test_nothing_runs_in_default() -> None:
    with pytest.raises(Deny, match="Pod may not be made in the namespace default"):
        nothing_runs_in_default(Pod({"kind": "Pod"}))


def test_the_archive_is_read_only_but_for_what_the_cluster_puts_there() -> None:
    with pytest.raises(Deny, match="read-only"):
        archive_is_read_only(ConfigMap({"metadata": {"name": "a"}}))
    archive_is_read_only(ConfigMap({"metadata": {"name": "kube-root-ca.crt"}}))


def test_host_network_is_reserved() -> None:
    host_network_is_reserved(Pod({}))
    with pytest.raises(Deny, match="hostNetwork is reserved"):
        host_network_is_reserved(Pod({"spec": {"hostNetwork": True}}))
