"""kube-apiserver shows who it is, with the files that `admit manifests` writes."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from admit.testing import ControlPlane
from tests.cluster.driving import config_map
from tests.commands import write
from tests.forwarding import Service
from tests.serving import ADMIT, manifests, served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

POLICIES = """
from admit import App, ConfigMap

app = App("guard", domain="example.com")


@app.validate(namespaces=["default"])
def see(config_map: ConfigMap) -> None:
    pass
"""

NAME = "kube-apiserver"
TOKEN = "a-token-that-is-long-enough"

# What kubectl says at the end. Of a handshake that is refused the event loop tells the
# client nothing; the server's log says why.
CASES = {
    "certificate": "",
    "no-certificate": ": EOF",
    "unknown-authority": ": EOF",
    "expired": ": EOF",
    "other-name": "admit: the client certificate has none of the names that may ask",
    "token": "",
    "no-token": "admit: show a bearer token",
    "wrong-token": "admit: the bearer token is not known",
}


def credentials(folder: Path, authority: trustme.CA) -> Mapping[str, dict[str, str]]:
    """Write what the API server shows in each case; return the kubeconfig's users."""
    now = datetime.now(UTC)
    begin, day = now - timedelta(days=2), timedelta(days=1)

    def issue(name: str, ca: trustme.CA, common_name: str, end: datetime) -> Any:
        leaf = ca.issue_cert(
            "api.example.com", common_name=common_name, not_before=begin, not_after=end
        )
        leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
        return {
            "client-certificate": str(folder / f"{name}.crt"),
            "client-key": str(folder / f"{name}.key"),
        }

    # The files that `admit manifests` tells to put there.
    issue("client", authority, NAME, now + day)
    (folder / "token").write_text(TOKEN)
    return {
        "no-certificate": {},
        "unknown-authority": issue("unknown", trustme.CA(), NAME, now + day),
        "expired": issue("expired", authority, NAME, now - day),
        "other-name": issue("other", authority, "kubelet", now + day),
        "no-token": {},
        "wrong-token": {"token": f"{TOKEN}-not"},
    }


def write_files(policies: Path, folder: Path, url: str, *options: str) -> Any:
    """What `admit manifests --api-server-auth` writes; returns its kubeconfig."""
    command = [*ADMIT, "manifests", str(policies), "--url", url]
    command += ["--api-server-auth", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"--admission-control-config-file={folder}/admission.yaml" in done.stderr
    return yaml.safe_load((folder / "webhooks.kubeconfig").read_text())


@pytest.fixture(scope="module")
def refusing(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ControlPlane, Path]]:
    """The API server, and the log of the server that asks for certificates."""
    folder = tmp_path_factory.mktemp("auth")
    policies = write(folder / "policies.py", POLICIES)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "clients.pem")
    (folder / "tokens").write_text(f"{TOKEN}\n")
    auth = folder / "admission"
    with ExitStack() as stack:
        by_certificate = stack.enter_context(
            served(
                policies,
                folder,
                *("--client-ca-file", str(folder / "clients.pem")),
                *("--client-name", NAME),
            )
        )
        (folder / "by-token").mkdir()
        by_token = stack.enter_context(
            served(
                policies, folder / "by-token", "--token-file", str(folder / "tokens")
            )
        )
        # A port of its own for each case: the API server looks for credentials by it.
        servers = {c: by_token if "token" in c else by_certificate for c in CASES}
        ports = {
            case: stack.enter_context(Service(server.port)).port
            for case, server in servers.items()
        }
        urls = {case: f"https://127.0.0.1:{port}" for case, port in ports.items()}
        users = write_files(
            policies, auth, urls["token"], "--api-server-credential", "token"
        )["users"]
        kubeconfig = write_files(policies, auth, urls["certificate"])
        kubeconfig["users"] += users
        kubeconfig["users"] += [
            {"name": f"127.0.0.1:{ports[case]}", "user": user}
            for case, user in credentials(auth, authority).items()
        ]
        (auth / "webhooks.kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        flag = f"--admission-control-config-file={auth / 'admission.yaml'}"
        plane = stack.enter_context(ControlPlane(flags=[flag]))
        for case, server in servers.items():
            (configuration,) = manifests(policies, server)
            configuration["metadata"]["name"] = f"{case}.example.com"
            (webhook,) = configuration["webhooks"]
            webhook["name"] = f"{case}.guard.example.com"
            webhook["clientConfig"]["url"] = f"{urls[case]}/validate"
            webhook["objectSelector"] = {"matchLabels": {"case": case}}
            plane.client.apply(configuration)
        yield plane, by_certificate.log


ENDS = (": EOF", ": use of closed network connection", ": connection reset by peer")


def create(plane: ControlPlane, case: str) -> str:
    """What kubectl says of a ConfigMap that the webhook of a case has to see."""
    given = config_map("probe", "default")
    given["metadata"]["labels"] = {"case": case}
    done = plane.kubectl(
        *("create", "--dry-run=server", "-f", "-"), input=yaml.safe_dump(given)
    )
    return done.stdout.strip() + done.stderr.strip()


@pytest.mark.parametrize("case", CASES)
def test_the_api_server_is_taken_by_what_it_shows(
    refusing: tuple[ControlPlane, Path], case: str
) -> None:
    plane, log = refusing
    said = create(plane, "no-certificate")
    while "failed calling webhook" not in said:  # it has not heard of them yet
        said = create(plane, "no-certificate")
    said = create(plane, case)
    if not CASES[case]:
        assert said == "configmap/probe created (server dry run)"
        return
    assert "Error from server (InternalError)" in said
    assert f'failed calling webhook "{case}.guard.example.com"' in said
    # Go words the end of a connection by the moment in which it meets it.
    ends = ENDS if CASES[case] == ENDS[0] else (CASES[case],)
    assert said.endswith(ends)
    if ends == ENDS:
        assert f"client refused, {case.replace('-', ' ')}" in log.read_text()
