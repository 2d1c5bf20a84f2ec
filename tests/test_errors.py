from __future__ import annotations

import pytest

from admit import errors
from admit.errors import AdmitError, ClusterError, ConfigError, Deny, PatchError


def test_an_error_is_one_sentence_with_place_and_hint() -> None:
    error = ConfigError("no such file", place="a.yaml:3", hint="create it")
    assert str(error) == "a.yaml:3: no such file (create it)"
    assert str(ConfigError("no such file")) == "no such file"


def test_a_patch_error_knows_which_operation() -> None:
    error = PatchError("missing value", index=2, pointer="/a/b")
    assert str(error) == "patch[2] '/a/b': missing value"
    assert (error.index, error.pointer) == (2, "/a/b")


def test_a_cluster_error_carries_the_status() -> None:
    assert ClusterError("no", status={"code": 403}).status == {"code": 403}
    assert ClusterError("no").status == {}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_an_owner_and_an_exit_code(name: str) -> None:
    cls = getattr(errors, name)
    if cls is Deny:
        return
    assert cls.owner
    assert cls.exit_code == (3 if cls is ClusterError else 2)


def test_a_verdict_is_not_an_error() -> None:
    assert not issubclass(Deny, AdmitError)
