from __future__ import annotations

from typing import Any, get_args

import pytest

from admit.cli.serve import command as serve_command
from admit.deployment import (
    Certs,
    DeploymentOptions,
    Source,
    serve_arguments,
    to_objects,
)
from admit.server import ServeOptions

SOURCE = Source(argument="/policies/a.py", data={"a.py": "# policies\n"})
NAMES = ["b.example.com", "a.example.com", "b.example.com"]


def options(**given: Any) -> DeploymentOptions:
    return DeploymentOptions(**({"name": "guard", "namespace": "policies"} | given))


def objects(source: Source = SOURCE, **given: Any) -> dict[str, dict[str, Any]]:
    """By kind."""
    made = to_objects(options(**given), source, NAMES)
    assert len({o["kind"] for o in made}) == len(made)
    return {o["kind"]: o for o in made}


def container(**given: Any) -> dict[str, Any]:
    found = objects(**given)["Deployment"]["spec"]["template"]["spec"]["containers"]
    one: dict[str, Any] = found[0]
    return one


def test_what_another_needs_comes_before_it() -> None:
    made = to_objects(options(max_replicas=3), SOURCE, NAMES)
    assert [o["kind"] for o in made] == [
        "Namespace",
        "ResourceQuota",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "NetworkPolicy",
        "Service",
        "PodDisruptionBudget",
        "Deployment",
        "HorizontalPodAutoscaler",
    ]


def test_what_is_not_wanted_is_not_there() -> None:
    made = objects(
        Source(argument="/policies"),
        certs="files",
        network_policy=False,
        priority_class="",
    )
    assert list(made) == [
        "Namespace",
        "ServiceAccount",
        "Service",
        "PodDisruptionBudget",
        "Deployment",
    ]
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert "priorityClassName" not in pod
    assert pod["automountServiceAccountToken"] is False
    (volume,) = pod["volumes"]
    assert volume["secret"]["secretName"] == "guard-tls"


def test_a_pod_without_files_has_no_volumes() -> None:
    pod = objects(Source(argument="a:app"))["Deployment"]["spec"]["template"]["spec"]
    assert "volumes" not in pod
    assert "volumeMounts" not in pod["containers"][0]


def test_names_of_the_cluster_are_those_of_no_other_release() -> None:
    def named(**given: str) -> set[tuple[str, str, str]]:
        made = to_objects(options(**given), SOURCE, NAMES)
        return {
            (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"])
            for o in made
            if o["kind"] != "Namespace"
        }

    releases = [
        named(name=name, namespace=namespace)
        for name, namespace in [
            ("a", "b-a"),
            ("a", "b"),
            ("b", "b-a"),
            ("b", "a"),
            ("a-a", "b"),
        ]
    ]
    assert len(set().union(*releases)) == sum(map(len, releases))


def test_no_right_is_wider_than_the_release() -> None:
    made = objects()
    keep = ["get", "list", "watch", "update", "patch"]
    named, unnamed = made["ClusterRole"]["rules"]
    assert named["resourceNames"] == ["a.example.com", "b.example.com"]
    assert (named["verbs"], unnamed["verbs"]) == (keep, ["create"])
    secret, create, events = made["Role"]["rules"]
    assert secret["resourceNames"] == ["guard-tls"]
    assert (secret["verbs"], create["verbs"]) == (
        ["get", "watch", "update"],
        ["create"],
    )
    assert events["apiGroups"] == ["events.k8s.io"]
    for kind in ("Role", "ClusterRole"):
        binding = made[f"{kind}Binding"]
        assert binding["roleRef"]["name"] == made[kind]["metadata"]["name"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "guard", "namespace": "policies"}
        ]


def test_selectors_find_the_pods_and_no_other_releases() -> None:
    made = objects(max_replicas=2)
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["Service"]["spec"]["selector"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert selector["app.kubernetes.io/instance"] == "guard"
    target = made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == made["Deployment"]["metadata"]["name"]


def test_ports_are_those_that_the_server_takes_by_default() -> None:
    server = ServeOptions(cert_file="", key_file="")
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"reviews": server.port, "health": server.health_port}
    found = {
        port["targetPort"]: port["port"]
        for port in objects()["Service"]["spec"]["ports"]
    }
    assert found == {"reviews": 443, "health": 8080}


def test_a_pod_has_time_to_answer_what_is_in_flight() -> None:
    pod = objects()["Deployment"]["spec"]["template"]["spec"]
    server = ServeOptions(cert_file="", key_file="")
    longest = server.endpoint_delay_seconds + server.drain_seconds
    assert pod["terminationGracePeriodSeconds"] >= longest + 5


def test_reviews_come_from_known_addresses_only() -> None:
    def rules(**given: Any) -> tuple[Any, Any]:
        spec = objects(**given)["NetworkPolicy"]["spec"]
        return spec["ingress"][0].get("from"), spec["egress"][1].get("to")

    assert rules() == (None, None)
    blocks = [{"ipBlock": {"cidr": "10.0.0.0/28"}}]
    assert rules(api_servers=("10.0.0.0/28",)) == (blocks, blocks)


def test_policies_in_folders_are_mounted_in_folders() -> None:
    data = {"a.py": "", "lib.b.py": ""}
    paths = {"a.py": "a.py", "lib.b.py": "lib/b.py"}
    made = objects(Source(argument="/policies", data=data, paths=paths))
    assert made["ConfigMap"]["data"] == data
    (volume,) = made["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert volume["configMap"]["items"] == [
        {"key": "a.py", "path": "a.py"},
        {"key": "lib.b.py", "path": "lib/b.py"},
    ]


def test_cert_manager_fills_the_secret_that_is_mounted() -> None:
    made = to_objects(options(certs="cert-manager"), SOURCE, NAMES)
    kinds = [o["kind"] for o in made]
    assert not {"Role", "ClusterRole"} & {*kinds}
    *_, certificate = [o for o in made if o["kind"] == "Certificate"]
    (pod,) = [o["spec"]["template"]["spec"] for o in made if o["kind"] == "Deployment"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == "certificate"]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    assert kinds.index("Certificate") < kinds.index("Deployment")


def test_modes_hold_in_the_cluster() -> None:
    assert container(modes={"a": "warn", "b": "audit"})["env"] == [
        {"name": "ADMIT_MODES", "value": "a=warn,b=audit"}
    ]
    assert "env" not in container()


@pytest.mark.parametrize("certs", get_args(Certs))
def test_serve_knows_every_option_that_pods_give_it(certs: Any) -> None:
    given_options = options(certs=certs, client_ca="PEM", client_names=("a", "b"))
    command, source, *given = serve_arguments(given_options, "/policies")
    assert (command, source) == ("serve", "/policies")
    known = {name for parameter in serve_command.params for name in parameter.opts}
    assert {option.partition("=")[0] for option in given} <= known


def test_a_server_that_asks_nothing_of_the_cluster_is_told_nothing_of_it() -> None:
    given = serve_arguments(options(certs="files"), "/policies")
    named = {option.partition("=")[0] for option in given}
    assert not named & {"--certs", "--register", "--secret", "--service"}


def test_authorities_of_clients_are_mounted_where_they_are_read() -> None:
    made = to_objects(options(client_ca="PEM", client_names=("api",)), SOURCE, NAMES)
    policies, clients = [o for o in made if o["kind"] == "ConfigMap"]
    assert policies["data"] == SOURCE.data
    (deployment,) = [o for o in made if o["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == "clients"]
    (mount,) = [
        m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "clients"
    ]
    assert volume["configMap"]["name"] == clients["metadata"]["name"]
    (file,) = clients["data"]
    arguments = pod["containers"][0]["args"]
    assert f"--client-ca-file={mount['mountPath']}/{file}" in arguments
    assert "--client-name=api" in arguments
