"""What pytest offers once admit is installed.

    def test_a_pod_is_refused(admit_control_plane):
        answer = admit_control_plane.kubectl("apply", "-f", "pod.yaml")

Imports nothing of admit until a fixture is asked for: other people's tests do not pay
for it, and coverage measurement starts before the import.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane


@pytest.fixture(scope="session")
def admit_control_plane() -> Iterator[ControlPlane]:
    """A real API server, one for all tests of the session.

    Skips with the reason where there are no programs to run; with ``CI=true`` in the
    environment that is a failure, so that a pipeline cannot pass by not looking.
    """
    from admit.errors import ConfigError  # noqa: PLC0415
    from admit.testing import ControlPlane  # noqa: PLC0415

    try:
        control_plane = ControlPlane()
    except ConfigError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no control plane, and CI=true: {error}", pytrace=False)
        pytest.skip(f"no control plane: {error}")
    with control_plane:
        yield control_plane
