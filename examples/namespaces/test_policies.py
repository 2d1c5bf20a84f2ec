import pytest
from policies import (
    archive_is_read_only,
    host_network_is_reserved,
    nothing_runs_in_default,
)

from admit import AdmissionRequest, ConfigMap, Deny, Deployment, Pod
from admit.review import UserInfo


def asked_by(*groups: str) -> AdmissionRequest:
    user = UserInfo(username="ada", groups=[*groups, "system:authenticated"])
    return AdmissionRequest(uid="1", operation="DELETE", user_info=user)


def test_nothing_runs_in_default() -> None:
    with pytest.raises(Deny, match=r"^Pod may not be made in the namespace default"):
        nothing_runs_in_default(Pod({"kind": "Pod"}))
    with pytest.raises(Deny, match=r"^Deployment may not"):
        nothing_runs_in_default(Deployment({"kind": "Deployment"}))


def test_the_archive_is_read_only_but_for_archivists() -> None:
    with pytest.raises(Deny, match="read-only"):
        archive_is_read_only(ConfigMap({}), asked_by("developers"))
    archive_is_read_only(ConfigMap({}), asked_by("archivists"))


@pytest.mark.parametrize("spec", [{}, {"hostNetwork": False}])
def test_pods_without_host_network_pass(spec: dict[str, bool]) -> None:
    host_network_is_reserved(Pod({"spec": spec}))


def test_host_network_is_reserved() -> None:
    with pytest.raises(Deny, match="hostNetwork is reserved"):
        host_network_is_reserved(Pod({"spec": {"hostNetwork": True}}))
