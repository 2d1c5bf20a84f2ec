"""`admit serve --certs self`: without a cluster, and where the certificate is kept."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from admit._tasks.certificates import Readiness
from admit.certs.keeper import Keeper
from admit.certs.service import Service
from admit.certs.times import Times
from tests.certs.api import Clock, Secrets
from tests.serving import ADMIT

EXAMPLES = Path(__file__).parent.parent / "examples"
POLICIES = str(EXAMPLES / "tutorial" / "policies.py")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_cluster_it_says_how_to_name_one(
    tmp_path: Path, workers: str
) -> None:
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "missing")}
    done = subprocess.run(
        [
            *(*ADMIT, "serve", POLICIES, "--certs", "self", "--service", "a/b"),
            *("--port", "0", "--health-port", "none", "--workers", workers),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "missing" in done.stderr
    assert "--kubeconfig FILE, or KUBECONFIG" in done.stderr
    assert "Traceback" not in done.stderr


def test_ready_is_who_is_trusted_and_stays_so() -> None:
    async def main() -> None:
        clock = Clock()
        api = Secrets(clock)
        service = Service("demo", "hook")
        keeper = Keeper(api, service, "s", times=Times(), clock=clock)
        readiness = Readiness(keeper)

        def look() -> tuple[bool, str]:
            (check,) = readiness()
            return check.passed, check.detail

        keeper.observe([b""])
        assert look() == (False, "the certificate's CA is not in every caBundle")
        await keeper.look()
        assert not look()[0]
        keeper.observe([keeper.bundle])
        assert look() == (True, "steady")
        keeper.observe([keeper.bundle, b""])  # somebody broke one
        assert look() == (True, "the certificate's CA is not in every caBundle")

    asyncio.run(main())


def test_who_registers_nothing_is_ready_with_a_certificate() -> None:
    async def main() -> None:
        clock = Clock()
        api = Secrets(clock)
        keeper = Keeper(api, Service("demo", "x"), "s", times=Times(), clock=clock)
        readiness = Readiness(keeper)
        assert [check.passed for check in readiness()] == [False]
        await keeper.look()
        assert [check.passed for check in readiness()] == [True]

    asyncio.run(main())
