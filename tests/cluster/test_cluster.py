"""The door to the Kubernetes API, against the real one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from admit._cluster import (
    CONFIG_MAPS,
    NAMESPACES,
    Cluster,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    GoneError,
    Resource,
    UnreachableError,
    connect,
)
from admit._cluster import cluster as door
from admit.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from admit.testing import ControlPlane


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def run(cluster: ControlPlane, ask: Callable[[Cluster], Awaitable[Any]]) -> Any:
    """Ask through the door, as the administrator."""

    async def main() -> Any:
        async with connect(str(cluster.kubeconfig)) as at:
            return await ask(at)

    return asyncio.run(main())


def test_an_object_from_its_creation_to_its_end(
    cluster: ControlPlane, namespace: str
) -> None:
    async def ask(at: Cluster) -> None:
        assert await at.get(CONFIG_MAPS, "one", namespace) is None
        made = await at.create(CONFIG_MAPS, config_map("one", namespace, a="1"))
        assert made["data"] == {"a": "1"}
        assert await at.get(CONFIG_MAPS, "one", namespace) == made
        made["data"]["b"] = "2"
        replaced = await at.replace(CONFIG_MAPS, made)
        assert replaced["data"] == {"a": "1", "b": "2"}
        patch = {"data": {"a": None}}
        patched = await at.patch(CONFIG_MAPS, "one", namespace, patch)
        assert patched["data"] == {"b": "2"}
        uid = patched["metadata"]["uid"]
        assert await at.delete(CONFIG_MAPS, "one", namespace, uid=uid)
        assert not await at.delete(CONFIG_MAPS, "one", namespace)

    run(cluster, ask)


def test_a_dry_run_changes_nothing(cluster: ControlPlane, namespace: str) -> None:
    async def ask(at: Cluster) -> None:
        await at.create(CONFIG_MAPS, config_map("no", namespace), dry_run=True)
        assert await at.get(CONFIG_MAPS, "no", namespace) is None
        made = await at.create(CONFIG_MAPS, config_map("one", namespace))
        await at.replace(CONFIG_MAPS, {**made, "data": {"x": "y"}}, dry_run=True)
        patch = {"data": {"x": "y"}}
        await at.patch(CONFIG_MAPS, "one", namespace, patch, dry_run=True)
        await at.apply(config_map("one", namespace, x="y"), owner="t", dry_run=True)
        assert await at.delete(CONFIG_MAPS, "one", namespace, dry_run=True)
        uid = made["metadata"]["uid"]
        assert await at.delete(CONFIG_MAPS, "one", namespace, uid=uid, dry_run=True)
        assert await at.get(CONFIG_MAPS, "one", namespace) == made

    run(cluster, ask)


def test_whoever_comes_second_is_told(cluster: ControlPlane, namespace: str) -> None:
    async def ask(at: Cluster) -> None:
        made = await at.create(CONFIG_MAPS, config_map("one", namespace))
        with pytest.raises(ConflictError, match="already exists"):
            await at.create(CONFIG_MAPS, config_map("one", namespace))
        await at.replace(CONFIG_MAPS, {**made, "data": {"x": "y"}})
        with pytest.raises(ConflictError, match="has been modified"):
            await at.replace(CONFIG_MAPS, {**made, "data": {"x": "z"}})
        with pytest.raises(ConflictError, match="UID in the precondition"):
            await at.delete(CONFIG_MAPS, "one", namespace, uid="another")

    run(cluster, ask)


def test_fields_have_owners(cluster: ControlPlane, namespace: str) -> None:
    async def ask(at: Cluster) -> None:
        await at.apply(config_map("one", namespace, a="1"), owner="first")
        mine = await at.apply(config_map("one", namespace, b="2"), owner="second")
        assert mine["data"] == {"a": "1", "b": "2"}
        with pytest.raises(FieldConflictError) as found:
            await at.apply(config_map("one", namespace, a="3"), owner="second")
        assert found.value.fields == {".data.a": "first"}
        forced = await at.apply(
            config_map("one", namespace, a="3"), owner="second", force=True
        )
        assert forced["data"] == {"a": "3"}

    run(cluster, ask)


def test_a_list_comes_in_pages(
    cluster: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PAGE", 3)

    async def ask(at: Cluster) -> None:
        for number in range(8):
            await at.create(CONFIG_MAPS, config_map(f"n{number}", namespace))
        found = await at.list(CONFIG_MAPS, namespace)
        names = {one["metadata"]["name"] for one in found.items}
        assert names >= {f"n{number}" for number in range(8)}
        assert {one["kind"] for one in found.items} == {"ConfigMap"}
        selected = await at.list(
            CONFIG_MAPS, namespace, field_selector="metadata.name=n3"
        )
        assert len(selected.items) == 1

    run(cluster, ask)


def test_a_watch_tells_what_happens(cluster: ControlPlane, namespace: str) -> None:
    async def ask(at: Cluster) -> list[tuple[str, str]]:
        start = await at.list(CONFIG_MAPS, namespace)
        events = at.watch(CONFIG_MAPS, namespace, version=start.version)
        made = await at.create(CONFIG_MAPS, config_map("one", namespace))
        await at.replace(CONFIG_MAPS, {**made, "data": {"x": "y"}})
        await at.delete(CONFIG_MAPS, "one", namespace)
        seen: list[tuple[str, str]] = []
        async with contextlib.aclosing(events) as changes:
            async for event in changes:
                seen.append((event.type, event.object["metadata"]["name"]))
                if event.type == "DELETED":
                    break
        return seen

    changes = ["ADDED", "MODIFIED", "DELETED"]
    assert run(cluster, ask) == [(change, "one") for change in changes]


def test_each_change_arrives_when_it_happens(
    cluster: ControlPlane, namespace: str
) -> None:
    """Not when a compressed block is full."""

    async def ask(at: Cluster) -> list[str]:
        seen: list[str] = []
        events = at.watch(CONFIG_MAPS, namespace, field_selector="metadata.name=one")
        async with contextlib.aclosing(events) as changes:
            async for event in changes:
                seen.append(event.type)
                if event.type == "BOOKMARK":  # what there was has been told
                    await at.create(CONFIG_MAPS, config_map("one", namespace))
                if event.type == "ADDED":
                    await at.delete(CONFIG_MAPS, "one", namespace)
                if event.type == "DELETED":
                    break
        return seen

    assert run(cluster, ask) == ["BOOKMARK", "ADDED", "DELETED"]


def test_what_the_cluster_knows(cluster: ControlPlane) -> None:
    async def ask(at: Cluster) -> None:
        found = await at.find("apps/v1", "Deployment")
        assert found == Resource(
            "apps", "v1", "deployments", "Deployment", namespaced=True
        )
        assert await at.find("v1", "Namespace") == NAMESPACES
        assert await at.find("apps/v1", "Deploymet") is None
        assert await at.find("example.com/v1", "Shop") is None
        shop = {"apiVersion": "example.com/v1", "kind": "Shop"}
        with pytest.raises(ClusterError, match="knows no Shop"):
            await at.apply({**shop, "metadata": {"name": "x"}}, owner="t")
        assert json.loads(await at.fetch("/version"))["major"] == "1"
        assert "apiserver_request_total" in await at.fetch("/metrics")
        with pytest.raises(ClusterError, match="404 page not found"):
            await at.fetch("/nothing")

    run(cluster, ask)


def test_a_missing_right_is_named(cluster: ControlPlane) -> None:
    stranger = cluster.add_user("nobody-special")

    async def main() -> None:
        async with connect(str(stranger.kubeconfig)) as at:
            with pytest.raises(
                ForbiddenError, match='cannot list resource "configmaps"'
            ):
                await at.list(CONFIG_MAPS, "default")

    asyncio.run(main())


def _edit(cluster: ControlPlane, file: Path, **user: Any) -> Path:
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    content["users"][0]["user"] = user
    file.write_text(yaml.safe_dump(content))
    return file


async def _name(kubeconfig: Path) -> str:
    review = Resource(
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "SelfSubjectReview",
        namespaced=False,
    )
    content = {"apiVersion": review.api_version, "kind": review.kind}
    async with connect(str(kubeconfig)) as at:
        found = await at.create(review, content)
    name: str = found["status"]["userInfo"]["username"]
    return name


def _token(cluster: ControlPlane, account: str) -> str:
    *_, namespace, name = account.split(":")
    return cluster.kubectl("create", "token", name, "-n", namespace).stdout.strip()


@pytest.fixture
def account(cluster: ControlPlane, namespace: str) -> str:
    metadata = {"name": "one", "namespace": namespace}
    content = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    cluster.client.create(content)
    return f"system:serviceaccount:{namespace}:one"


def test_a_token(cluster: ControlPlane, account: str, tmp_path: Path) -> None:
    file = _edit(cluster, tmp_path / "config", token=_token(cluster, account))
    assert asyncio.run(_name(file)) == account


def test_a_program_that_gives_a_token(
    cluster: ControlPlane, account: str, tmp_path: Path
) -> None:
    version = "client.authentication.k8s.io/v1beta1"
    answer = {"kind": "ExecCredential", "status": {"token": _token(cluster, account)}}
    program = {
        "apiVersion": version,
        "command": sys.executable,
        "args": ["-c", f"print({json.dumps(json.dumps(answer))})"],
    }
    file = _edit(cluster, tmp_path / "config", exec=program)
    assert asyncio.run(_name(file)) == account


def test_the_pods_own_account(
    cluster: ControlPlane,
    account: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lightkube.config import kubeconfig

    (tmp_path / "token").write_text(_token(cluster, account))
    (tmp_path / "namespace").write_text("there")
    (tmp_path / "ca.crt").write_bytes(cluster.ca_file.read_bytes())
    host, _, port = cluster.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    found = kubeconfig.KubeConfig.from_service_account(tmp_path)
    monkeypatch.setattr(kubeconfig.KubeConfig, "from_service_account", lambda: found)

    async def main() -> None:
        async with connect() as at:
            assert (at.server, at.namespace) == (cluster.url, "there")
            with pytest.raises(ForbiddenError, match=account):
                await at.list(CONFIG_MAPS, "default")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not found"),
        ("[", "not a kubeconfig"),
        ("[]", "not a kubeconfig"),
        ("{clusters: [], contexts: []}", "No current context"),
        ("{clusters: [], contexts: [], current-context: x}", "Context 'x' not found"),
    ],
)
def test_what_is_no_kubeconfig(
    content: str | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)

    async def main() -> None:
        async with connect(str(file)):
            pass

    with pytest.raises(ConfigError, match=message) as found:
        asyncio.run(main())
    assert found.value.hint is not None


def test_nobody_answers(cluster: ControlPlane, tmp_path: Path) -> None:
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(content))

    async def main() -> None:
        async with connect(str(file)) as at:
            with pytest.raises(UnreachableError, match="no answer") as found:
                await at.get(NAMESPACES, "default")
            assert found.value.hint is not None
            with pytest.raises(UnreachableError):
                async for _ in at.watch(NAMESPACES):
                    pass

    asyncio.run(main())


@contextlib.asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve these answers in turn, the last one for ever; note what was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.split(b"\r\n")[0].decode())
            writer.write(answers[min(len(asked), len(answers)) - 1])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def _answer(code: int, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {code} x", f"content-length: {len(body)}", *headers))
    return f"{head}\r\nconnection: close\r\n\r\n".encode() + body


async def _ask(tmp_path: Path, *answers: bytes) -> tuple[Any, list[str]]:
    async with answering(*answers) as (url, asked), connect(_file(tmp_path, url)) as at:
        try:
            return await at.get(NAMESPACES, "default"), asked
        except ClusterError as error:
            return error, asked


def _file(folder: Path, url: str) -> str:
    content = {
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(content))
    return str(file)


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    busy = _answer(429, b"later", "retry-after: 0")
    found, asked = asyncio.run(_ask(tmp_path, busy, busy, _answer(200, b"{}")))
    assert found == {}
    assert len(asked) == 3
    found, asked = asyncio.run(_ask(tmp_path, busy))
    assert isinstance(found, ClusterError)
    assert (found.message, len(asked)) == ("later", 3)


def test_an_answer_without_end_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ANSWER_BYTES", 1000)
    found, _ = asyncio.run(_ask(tmp_path, _answer(200, b"x" * 2000)))
    assert "larger than 1000 bytes" in str(found)


def test_what_is_not_json_is_said(tmp_path: Path) -> None:
    found, _ = asyncio.run(_ask(tmp_path, _answer(200, b"<html>")))
    assert "the answer is not JSON" in str(found)
    found, _ = asyncio.run(_ask(tmp_path, _answer(502, b"<html>bad gateway")))
    assert "<html>bad gateway" in str(found)


@pytest.mark.parametrize(
    "answer",
    [
        _answer(410, b'{"message": "too old", "code": 410}'),
        _answer(200, b'{"type": "ERROR", "object": {"code": 410}}\n'),
    ],
    ids=["at once", "later"],
)
def test_a_watch_from_too_long_ago(tmp_path: Path, answer: bytes) -> None:
    async def main() -> None:
        async with answering(answer) as (url, _), connect(_file(tmp_path, url)) as at:
            with pytest.raises(GoneError):
                async for _ in at.watch(NAMESPACES, version="1"):
                    pass

    asyncio.run(main())


def test_an_event_without_end_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EVENT_BYTES", 1000)
    answer = _answer(200, b"x" * 2000)

    async def main() -> None:
        async with answering(answer) as (url, _), connect(_file(tmp_path, url)) as at:
            with pytest.raises(ClusterError, match="larger than 1000 bytes"):
                async for _ in at.watch(NAMESPACES, version="1"):
                    pass

    asyncio.run(main())
