"""Whole processes: one, and several with a parent; signals, crashes, what is shown."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.processes import ALLOWED, DENIED, POLICIES, Running, running
from tests.server.running import SECRET
from tests.server.wire import scrape

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.running import Authority


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_it_with_0_after_what_is_in_flight(
    number: signal.Signals, workers: int, authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=workers) as served:
        assert served.ask()[0] == 200
        connection = served.connect()
        connection.request("POST", "/slow", ALLOWED)
        time.sleep(0.1)
        served.process.send_signal(number)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["connection"] == "close"
        assert json.loads(response.read())["response"]["allowed"] is True
        assert served.process.wait(20) == 0


def test_a_second_signal_cuts_the_end_short(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2) as served:
        connection = served.connect()
        connection.request("POST", "/wait", ALLOWED)
        time.sleep(0.1)
        served.process.terminate()
        time.sleep(0.1)
        served.process.terminate()
        with pytest.raises(OSError):
            connection.getresponse().read()
        assert served.process.wait(20) == 0


def test_a_stuck_thread_does_not_keep_the_process(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        assert served.ask(path="/stuck")[0] == 504
        served.process.terminate()
        assert served.process.wait(20) == 0


def test_a_denied_review_is_one_line_without_its_body(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        assert served.ask(DENIED)[1]["response"]["allowed"] is False
        served.wait_until(lambda: "review: deny" in served.log)
        lines = [json.loads(line) for line in served.log.splitlines()]
        (line,) = [line for line in lines if line.get("kind") == "review"]
        assert line["policies"] == ["require_app_label"]
        assert line["webhook"] == "validate.pod-labels.example.com"
        assert (line["namespace"], line["name"]) == ("default", "web")
        assert line["duration_seconds"] > 0
        assert SECRET not in served.log


def test_workers_share_the_work_and_add_up(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=3) as served:
        workers = served.worker_processes()
        assert len(workers) == 3
        seen = set[int]()
        while seen != workers:
            seen.add(served.worker())
        assert served.process.pid not in seen
        served.wait_until(lambda: served.total() == served.asked["/worker"])
        status, text = served.look("/readyz")
        assert status == 200
        assert text.count("[+] worker") == 9
        status, text = served.look("/healthz")
        assert (status, text.count("[+] worker")) == (200, 3)


def test_a_killed_worker_is_replaced_and_the_others_go_on(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2) as served:
        first, second = sorted(served.worker_processes())
        connections: dict[int, http.client.HTTPSConnection] = {}
        while len(connections) < 2:
            connection = served.connect()
            _, review = served.ask(path="/worker", connection=connection)
            message = review["response"]["status"]["message"]
            connections[int(message.split()[0])] = connection
        while served.worker() != first:
            pass
        served.wait_until(lambda: served.total() == served.asked["/worker"])
        os.kill(first, signal.SIGKILL)
        for _ in range(20):
            assert served.ask(connection=connections[second])[0] == 200
        served.wait_until(lambda: first not in served.worker_processes())
        served.wait_until(lambda: len(served.worker_processes()) == 2)
        served.wait_until(served.is_ready)
        served.wait_until(lambda: served.worker() not in {first, second})
        served.wait_until(lambda: served.total() == served.asked["/worker"])
        found = scrape(served.look("/metrics")[1])
        assert found["admit_worker_restarts_total", ()] == 1
        lines = [json.loads(line) for line in served.log.splitlines()]
        (line,) = [line for line in lines if line.get("kind") == "worker"]
        assert line["code"] == -signal.SIGKILL


def test_a_worker_that_holds_its_loop_fails_the_probe(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2, liveness_seconds=1) as served:
        connection = served.connect()
        connection.request("POST", "/hold", ALLOWED)
        served.wait_until(lambda: served.look("/healthz")[0] == 503)
        served.wait_until(lambda: served.look("/healthz")[0] == 200)
        assert connection.getresponse().status == 200
        assert '"policy":"hold"' in served.log


def test_workers_end_with_their_parent(authority: Authority, tmp_path: Path) -> None:
    with running(authority, tmp_path, workers=2) as served:
        workers = served.worker_processes()
        served.process.kill()
        served.process.wait()
        for worker in workers:
            while is_alive(worker):
                time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_changed_policies_reach_every_worker_and_broken_ones_none(
    workers: int, authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=workers) as served:
        source = tmp_path / "policies.py"
        before = scrape(served.look("/metrics")[1])
        source.write_text(POLICIES.replace("Pod must have", "Pods must have"))
        served.wait_until(lambda: count_reloads(served, "loaded") == workers)
        for _ in range(8):
            message = served.ask(DENIED)[1]["response"]["status"]["message"]
            assert message.startswith("Pods must have")
        found = scrape(served.look("/metrics")[1])
        (info,) = [key for key in found if key[0] == "admit_policies_info"]
        assert info not in before
        assert found[info] == workers
        version = dict(info[1])["version"]
        assert served.look("/readyz")[1].count(f"version {version}\n") == workers
        source.write_text("def broken(")
        served.wait_until(lambda: count_reloads(served, "failed") == workers)
        status, page = served.look("/readyz")
        assert status == 200
        assert page.count(f"version {version}; the new ones cannot be used") == workers
        assert served.ask()[0] == 200
        assert scrape(served.look("/metrics")[1])["admit_policies_stale", ()] == workers


def test_an_import_that_hangs_does_not_keep_the_process(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        begun = tmp_path / "begun"
        hanging = f"open({str(begun)!r}, 'w').close()\nimport time\ntime.sleep(3600)\n"
        (tmp_path / "policies.py").write_text(hanging)
        served.wait_until(begun.exists)
        assert served.ask()[0] == 200
        served.process.terminate()
        assert served.process.wait(20) == 0


def count_reloads(served: Running, result: str) -> float:
    found = scrape(served.look("/metrics")[1])
    return found["admit_policies_reloads_total", (("result", result),)]


@pytest.mark.parametrize("workers", [1, 2])
def test_policies_that_do_not_load_end_it_with_2(
    workers: int, authority: Authority, tmp_path: Path
) -> None:
    with (
        pytest.raises(RuntimeError, match=r"policies\.py:1"),
        running(authority, tmp_path, policies="def broken(", workers=workers) as served,
    ):
        assert served.process.wait(20) == 2


def test_a_port_that_is_taken_ends_it_with_2(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        (tmp_path / "other").mkdir()
        with (
            pytest.raises(RuntimeError, match="cannot serve there"),
            running(authority, tmp_path / "other", port=served.port),
        ):
            pass


def test_a_worker_is_small(authority: Authority, tmp_path: Path) -> None:
    with running(authority, tmp_path, workers=2) as served:
        connections = [served.connect() for _ in range(16)]
        for connection in connections * 20:
            served.ask(connection=connection)
        for worker in served.worker_processes():
            with open(f"/proc/{worker}/smaps_rollup") as file:  # noqa: PTH123
                text = file.read()
            (pss,) = [line for line in text.splitlines() if line.startswith("Pss:")]
            assert int(pss.split()[1]) < 40 * 1024
