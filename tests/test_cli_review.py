from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import pytest
import yaml
from click.testing import CliRunner

from admit.cli.root import root
from tests.commands import POD, POLICIES, ask, invoke, write
from tests.reviews import pod, review_body

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "policies.py", POLICIES)
    write(tmp_path / "pod.yaml", POD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def show(*arguments: str, input: str | bytes | None = None) -> list[str]:
    return invoke("review", "policies.py", *arguments, input=input).stdout.splitlines()


def test_what_is_allowed_reads_as_kubectl_says_it_with_the_difference(
    folder: Path,
) -> None:
    result = invoke("review", "policies.py", "-f", "pod.yaml")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "pod/web created (dry run)",
        "--- pod.yaml",
        "+++ pod.yaml (after admission)",
        "@@ -3,6 +3,8 @@",
        " metadata:",
        "   name: web",
        "   namespace: default",
        "+  labels:",
        "+    app: my-app",
        " spec:",
        "   containers:",
        "   - name: web",
    ]


def test_what_is_denied_reads_as_kubectl_says_it(folder: Path) -> None:
    result = invoke("review", "policies.py", "-f", "pod.yaml", "-n", "raw")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        (
            'Error from server (Forbidden): error when creating "pod.yaml": admission '
            'webhook "validate.pod-labels.example.com" denied the request: '
            "Pod must have an app label [require_app_label]"
        ),
        (
            "  note: mutate.pod-labels.example.com is not asked: it does not look into the "
            "namespace raw"
        ),
    ]


TEXTS: list[tuple[tuple[str, ...], str, str]] = [
    ((), "kind: Node", "node/x created (dry run)"),
    ((), "kind: Deployment\nGROUP apps", "deployment.apps/x created (dry run)"),
    (("--operation", "delete"), "kind: Node", 'node "x" deleted (dry run)'),
    (
        ("--operation", "DELETE"),
        "kind: Deployment\nGROUP apps",
        'deployment.apps "x" deleted from default namespace (dry run)',
    ),
    (("--old", "old.yaml"), "kind: Node", "node/x replaced (dry run)"),
    (
        ("--operation", "connect"),
        "kind: PodExecOptions",
        "pods/exec x allowed (dry run)",
    ),
]


@pytest.mark.parametrize(("options", "kind", "line"), TEXTS)
def test_each_operation_has_kubectls_words(
    folder: Path, options: tuple[str, ...], kind: str, line: str
) -> None:
    first, _, group = kind.partition("\nGROUP ")
    version = f"{group}/v1" if group else "v1"
    text = f"apiVersion: {version}\n{first}\nmetadata: {{name: x}}\n"
    write(folder / "old.yaml", text)
    assert show("-f", "-", *options, input=text)[0] == line


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("CREATE", 'Error from server: error when creating "STDIN": admission'),
        ("UPDATE", 'Error from server: error when replacing "STDIN": admission'),
        ("DELETE", 'Error from server: error when deleting "STDIN": admission'),
        ("CONNECT", "error: unable to upgrade connection: admission"),
    ],
)
def test_each_operation_has_kubectls_words_for_a_denial(
    folder: Path, operation: str, words: str
) -> None:
    write(
        folder / "policies.py",
        f"""
        from admit import App, Deny, Pod, Resource

        app = App("x")

        @app.validate(operations=["{operation}"], resources=["pods", "pods/exec"])
        def no(pod: Resource) -> None:
            raise Deny("no", reason="", code=418)
        """,
    )
    kind = "PodExecOptions" if operation == "CONNECT" else "Pod"
    text = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x, uid: u}}\n"
    write(folder / "old.yaml", text)
    old = ("--old", "old.yaml") if operation == "UPDATE" else ()
    options = ("--operation", operation, *old)
    write(folder / "policies.py", (folder / "policies.py").read_text())
    lines = show("-f", "-", *options, input=text.replace("uid: u", "uid: v"))
    if operation == "UPDATE":  # what the old object earned too is a warning
        assert lines[0] == "Warning: no [no], as before"
        return
    assert lines[0].startswith(words)


def test_warnings_come_first_and_objects_are_told_apart(folder: Path) -> None:
    write(
        folder / "policies.py",
        POLICIES.replace(
            "(pod: Pod) -> None:\n    if",
            "(pod: Pod, warn) -> None:\n    warn('old')\n    if",
        ),
    )
    write(folder / "two.yaml", f"{POD}---\n{POD}")
    lines = show("-f", "two.yaml")
    assert lines[:2] == ["Warning: old", "pod/web created (dry run)"]
    assert lines[lines.index("", 3) + 1 :][:2] == lines[:2]


def test_colours_are_for_terminals_that_want_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coloured() -> str:
        arguments = ["review", "policies.py", "-f", "pod.yaml"]
        return CliRunner().invoke(root, arguments, color=True).stdout

    added = click.style("+    app: my-app", fg="green")
    assert added in coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in coloured()


def test_a_review_as_json_has_the_documented_shape(folder: Path) -> None:
    assert ask("policies.py", "-f", "pod.yaml") == [
        {
            "allowed": True,
            "message": "",
            "reason": "",
            "code": 200,
            "warnings": [],
            "auditAnnotations": {},
            "patch": [
                {"op": "add", "path": "/metadata/labels", "value": {"app": "my-app"}}
            ],
            "object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "web",
                    "namespace": "default",
                    "labels": {"app": "my-app"},
                },
                "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]},
            },
            "policies": [
                {
                    "policy": "default_app_label",
                    "verdict": "mutate",
                    "mode": "enforce",
                    "message": "",
                },
                {
                    "policy": "require_app_label",
                    "verdict": "allow",
                    "mode": "enforce",
                    "message": "",
                },
            ],
        }
    ]


def test_a_denial_as_json_has_the_same_shape(folder: Path) -> None:
    (report,) = ask("policies.py", "-f", "pod.yaml", "-n", "raw")
    message = "Pod must have an app label"
    assert {**report, "object": ...} == {
        "allowed": False,
        "message": 'admission webhook "validate.pod-labels.example.com" denied the '
        f"request: {message} [require_app_label]",
        "reason": "Forbidden",
        "code": 403,
        "warnings": [],
        "auditAnnotations": {},
        "patch": [],
        "object": ...,
        "policies": [
            {
                "policy": "require_app_label",
                "verdict": "deny",
                "mode": "enforce",
                "message": message,
            }
        ],
    }


def test_what_goes_has_no_object(folder: Path) -> None:
    (report,) = ask("policies.py", "-f", "pod.yaml", "--operation", "DELETE")
    assert report["object"] is None
    assert report["code"] == 200


def test_admission_reviews_and_lists_come_from_standard_input(folder: Path) -> None:
    body = json.dumps(
        {
            "kind": "List",
            "apiVersion": "v1",
            "items": [json.loads(review_body(pod())), pod(app="a")],
        }
    )
    reports = ask("policies.py", "-f", "-", input=body)
    assert [r["object"]["metadata"]["labels"]["app"] for r in reports] == [
        "my-app",
        "a",
    ]


@pytest.mark.parametrize(
    ("options", "environment", "verdict"),
    [
        ((), "", "deny"),
        (("--mode", "require_app_label=warn"), "", "warn"),
        ((), "require_app_label=audit", "audit"),
        (("--mode", "require_app_label=enforce"), "require_app_label=audit", "deny"),
    ],
)
def test_modes_come_from_options_before_the_environment(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    environment: str,
    verdict: str,
) -> None:
    monkeypatch.setenv("ADMIT_MODES", environment)
    (report,) = ask("policies.py", "-f", "pod.yaml", "-n", "raw", *options)
    assert report["policies"][0]["verdict"] == verdict
    assert report["allowed"] is (verdict != "deny")
    signed = "Pod must have an app label [require_app_label]"
    assert report["warnings"] == ([signed] if verdict == "warn" else [])
    assert report["auditAnnotations"] == (
        {"validate.pod-labels.example.com/require_app_label": signed.partition(" [")[0]}
        if verdict == "audit"
        else {}
    )


def test_who_asks_and_how_is_what_policies_see(folder: Path) -> None:
    write(
        folder / "policies.py",
        """
        from admit import AdmissionRequest, App, Deny, Pod

        app = App("x")

        @app.validate
        def tell(pod: Pod, request: AdmissionRequest) -> None:
            user = request.user_info
            raise Deny(f"{user.username} {user.groups} {request.dry_run}")
        """,
    )
    options = ("--user", "ada", "--group", "a", "--group", "b", "--dry-run")
    (report,) = ask("policies.py", "-f", "pod.yaml", *options)
    assert "ada ['a', 'b', 'system:authenticated'] True [tell]" in report["message"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing option '-f'"),
        (("-f", "pod.yaml", "--operation", "PATCH"), "'PATCH' is not one of"),
        (("-f", "pod.yaml", "--operation", "creat"), "Did you mean 'CREATE'?"),
        (("-f", "pod.yaml", "-o", "jsn"), "Did you mean 'json'?"),
        (("-f", "pod.yaml", "--fielname", "x"), "Did you mean '--filename'?"),
        (("pod.yaml",), "argument 'pod.yaml'. Did you mean -f pod.yaml?"),
        (("-f", "pod.yaml", "b.yml", "c.json"), "Did you mean -f b.yml -f c.json?"),
        (("-f", "pod.yaml", "word"), "Got unexpected extra argument (word)"),
        (("-f", "pod.yaml", "--old", "pod.yaml", "--operation", "DELETE"), "--old is"),
        (("-f", "none.yaml"), "error: cannot be read: No such file or directory"),
        (("-f", "pod.yaml", "--operation", "UPDATE"), "needs the object as it is"),
        (("-f", "pod.yaml", "--mode", "x"), "'x' is not NAME=MODE"),
        (("-f", "pod.yaml", "--mode", "x=warn"), "no policy is named x"),
        (
            ("-f", "pod.yaml", "--mode", "require_ap_label=warn"),
            "hint: did you mean require_app_label? there are",
        ),
        (
            ("-f", "pod.yaml", "--mode", "require_app_label=wran"),
            "hint: did you mean require_app_label=warn?",
        ),
        (("-f", "bad.yaml"), "at: bad.yaml:2:12"),
    ],
)
def test_wrong_use_is_told_with_exit_code_2(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    write(folder / "bad.yaml", "kind: Pod\nspec: { a: ]\n")
    result = invoke("review", "policies.py", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("policy", "first"),
    [
        ("Fail", "Error from server (InternalError): error when creating"),
        ("Ignore", "pod/web created (dry run)"),
    ],
)
def test_a_policy_that_fails_ends_with_2_and_says_where(
    folder: Path, policy: str, first: str
) -> None:
    text = POLICIES.replace('.com")', f'.com", failure_policy="{policy}")')
    file = write(
        folder / "policies.py", text.replace('raise Deny("', 'raise KeyError("')
    )
    line = 1 + file.read_text().splitlines().index(
        '        raise KeyError("Pod must have an app label")'
    )
    options = ("-f", "pod.yaml", "-n", "raw")
    result = invoke("review", "policies.py", *options)
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[0].startswith(first)
    assert f"  at: {file}:{line}" in lines
    assert "  hint: --debug shows the traceback" in lines
    assert "Traceback" not in result.output
    debugged = invoke("review", "policies.py", *options, "--debug")
    assert debugged.exit_code == 2
    assert debugged.stdout == result.stdout
    assert "KeyError: 'Pod must have an app label'" in debugged.stderr


def test_a_policy_that_answers_nonsense_is_told_with_its_own_hint(
    folder: Path,
) -> None:
    text = POLICIES.replace("raise Deny(", "return bool(")
    write(folder / "policies.py", text)
    result = invoke("review", "policies.py", "-f", "pod.yaml", "-n", "raw")
    assert result.exit_code == 2
    assert "  hint: refuse with `raise Deny(" in result.stdout


def test_a_policy_that_is_too_slow_has_no_traceback_to_show(folder: Path) -> None:
    write(
        folder / "policies.py",
        """
        import asyncio

        from admit import App, Pod

        app = App("slow", domain="example.com", timeout_seconds=1)

        @app.validate
        async def sleep(pod: Pod) -> None:
            await asyncio.sleep(60)
        """,
    )
    result = invoke("review", "policies.py", "-f", "pod.yaml")
    assert result.exit_code == 2
    assert f"  at: {folder / 'policies.py'}:" in result.stdout
    assert "hint:" not in result.stdout


def test_a_misspelt_field_is_noted_with_its_place(folder: Path) -> None:
    write(folder / "pod.yaml", POD.replace("containers", "contianers"))
    assert (
        '  note: pod.yaml:1: unknown field "spec.contianers", which kubectl refuses; '
        "did you mean containers?"
    ) in show("-f", "pod.yaml")
    assert not any(
        "unknown field" in line
        for line in show("-f", "pod.yaml", "--operation", "delete")
    )


def test_as_yaml_the_objects_are_those_that_would_be_stored(folder: Path) -> None:
    """They can be reviewed again, and then nothing is left to change."""
    write(folder / "second.yaml", POD.replace("name: web", "name: other"))
    write(
        folder / "raw.yaml",
        POD.replace("  name: web\n", "  name: bare\n  namespace: raw\n", 1),
    )
    files = ("-f", "pod.yaml", "-f", "raw.yaml", "-f", "second.yaml")
    result = invoke("review", "policies.py", *files, "-o", "yaml")
    assert result.exit_code == 1
    stored = list(yaml.safe_load_all(result.stdout))
    assert [one["metadata"] for one in stored] == [
        {"name": name, "namespace": "default", "labels": {"app": "my-app"}}
        for name in ("web", "other")
    ]
    assert 'error when creating "raw.yaml"' in result.stderr
    assert "dry run" not in result.stderr
    (again, _) = ask("policies.py", "-f", "-", input=result.stdout)
    assert again["allowed"]
    assert again["patch"] == []


@pytest.mark.parametrize(
    "options", [("--operation", "DELETE"), ("--subresource", "status")]
)
def test_as_yaml_what_stores_no_object_of_its_own_prints_none(
    folder: Path, options: tuple[str, ...]
) -> None:
    result = invoke("review", "policies.py", "-f", "pod.yaml", "-o", "yaml", *options)
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_field_that_the_api_server_has_set_before_is_noted(folder: Path) -> None:
    write(
        folder / "replicas.py",
        """
        from admit import App, Deployment

        app = App("replicas", domain="example.com")

        @app.mutate
        def three(deployment: Deployment) -> None:
            if deployment.spec.replicas is None:
                deployment.spec.replicas = 3
            deployment.metadata.labels.setdefault("a", "b")
        """,
    )
    text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {%s}}"
    write(folder / "absent.yaml", text % "paused: true")
    write(folder / "chosen.yaml", text % "replicas: 2")
    absent = invoke("review", "replicas.py", "-f", "absent.yaml").stdout
    assert (
        "  note: three sets /spec/replicas, which the API server has set before, such "
        "as to 1: set only where it is absent, it is never set in a cluster\n"
    ) in absent
    assert absent.count("note:") == 1
    assert "note:" not in invoke("review", "replicas.py", "-f", "chosen.yaml").stdout
