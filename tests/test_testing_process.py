from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from admit.testing import wait_until
from admit.testing.guard import guard
from admit.testing.process import TAIL_LINE_CHARACTERS, Process

if TYPE_CHECKING:
    import pytest

# Says when it runs; writes its name where told when it is asked to end.
POLITE = (
    "trap 'sleep {linger}; echo {name} >> {ends}; exit 0' TERM; echo {name} runs as $$;"
    "while :; do sleep 0.02; done"
)
STUBBORN = "trap '' TERM; echo runs as $$; while :; do sleep 0.02; done"


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def pid_in(log: Path) -> int:
    def look() -> int:
        words = log.read_text().split() if log.exists() else []
        return int(words[words.index("as") + 1]) if "as" in words[:-1] else 0

    return wait_until(look, what=f"a pid in {log}")


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_program_is_asked_to_end_and_then_gone(tmp_path: Path) -> None:
    ends, log = tmp_path / "ends", tmp_path / "log"
    process = Process(shell(POLITE.format(name="it", linger=0, ends=ends)), log)
    pid = pid_in(log)
    assert process.exit_code is None
    process.stop()
    assert ends.read_text() == "it\n"
    assert process.exit_code == 0
    assert not lives(pid)
    process.stop()


def test_a_program_that_will_not_end_is_killed(tmp_path: Path) -> None:
    process = Process(shell(STUBBORN), tmp_path / "log", grace_seconds=0.1)
    pid = pid_in(tmp_path / "log")
    process.stop()
    assert not lives(pid)
    assert process.exit_code == 128 + 9


def test_a_guard_that_hangs_is_killed_with_its_program(tmp_path: Path) -> None:
    process = Process(shell(STUBBORN), tmp_path / "log", grace_seconds=0.1)
    pid = pid_in(tmp_path / "log")
    os.kill(process._guard.pid, signal.SIGSTOP)
    process.stop()
    assert not lives(pid)


def test_a_program_that_ends_by_itself_leaves_exit_code_log_and_folder(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    script = "echo out; echo error >&2; exit 3"
    process = Process(shell(script), tmp_path / "log", folder=folder)
    wait_until(lambda: process.exit_code is not None, what="its end")
    assert process.exit_code == 3
    assert process.tail() == "out\nerror"
    process.stop()
    assert folder.exists()


def test_a_program_that_cannot_be_started_says_so_in_its_log(tmp_path: Path) -> None:
    process = Process([str(tmp_path / "absent")], tmp_path / "log")
    wait_until(lambda: process.exit_code is not None, what="its end")
    process.stop()
    assert process.exit_code
    assert "No such file" in process.tail()


def test_a_stopped_program_takes_its_folder_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "file").touch()
    process = Process(shell("sleep 60"), tmp_path / "log", folder=folder)
    process.stop()
    assert not folder.exists()


def test_the_tail_is_short_and_of_this_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier run\n")
    script = "printf '%9999s\\n' x; for i in 1 2 3; do echo $i; done"
    process = Process(shell(script), log)
    wait_until(lambda: process.exit_code is not None, what="its end")
    process.stop()
    assert process.tail(2) == "2\n3"
    lines = process.tail().splitlines()
    assert [len(line) for line in lines] == [TAIL_LINE_CHARACTERS, 1, 1, 1]


def test_a_program_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[Process] = []
    thread = threading.Thread(
        target=lambda: started.append(Process(shell(STUBBORN), tmp_path / "log"))
    )
    thread.start()
    thread.join()
    pid = pid_in(tmp_path / "log")
    assert lives(pid)
    assert started[0].exit_code is None
    os.kill(pid, 9)
    started[0].stop()


def test_a_killed_python_takes_its_programs_with_it_in_order(tmp_path: Path) -> None:
    folder, ends = tmp_path / "data", tmp_path / "ends"
    folder.mkdir()
    code = f"""
import time
from pathlib import Path
from typing import TYPE_CHECKING
from admit.testing.process import Process
store = Process({shell(POLITE.format(name="store", linger=0, ends=ends))!r},
                Path({str(tmp_path / "store")!r}), folder=Path({str(folder)!r}))
server = Process({shell(POLITE.format(name="server", linger=0.3, ends=ends))!r},
                 Path({str(tmp_path / "server")!r}), needs=store)
time.sleep(60)
"""
    python = subprocess.Popen([sys.executable, "-c", code])
    pids = [pid_in(tmp_path / name) for name in ("store", "server")]
    python.kill()
    python.wait()
    wait_until(lambda: not any(map(lives, pids)), what="their end")
    wait_until(lambda: not folder.exists(), what="the end of their folder")
    assert ends.read_text() == "server\nstore\n"


def test_a_killed_program_has_no_time_to_be_polite(tmp_path: Path) -> None:
    ends, log = tmp_path / "ends", tmp_path / "log"
    process = Process(shell(POLITE.format(name="it", linger=0, ends=ends)), log)
    pid = pid_in(log)
    process.kill()
    assert not lives(pid)
    assert not ends.exists()
    assert process.exit_code == -9
    process.kill()


def test_a_program_can_be_stopped_before_those_who_need_it(tmp_path: Path) -> None:
    needed = Process(shell("echo runs as $$; exec sleep 60"), tmp_path / "needed")
    needs = Process(
        shell(STUBBORN), tmp_path / "needs", needs=needed, grace_seconds=0.1
    )
    pid = pid_in(tmp_path / "needed")
    needed.stop()
    assert not lives(pid)
    assert needed.exit_code == 128 + 15
    assert needs.exit_code is None
    needs.stop()


def test_programs_do_not_inherit_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    monkeypatch.setenv("ADMIT_TEST", "inherited")
    process = Process(shell("echo [$HTTPS_PROXY] $ADMIT_TEST"), tmp_path / "log")
    wait_until(lambda: process.exit_code is not None, what="its end")
    process.stop()
    assert process.tail() == "[] inherited"


def test_the_guard_stops_its_program_at_the_end_of_its_input(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    folder = tmp_path / "data"
    folder.mkdir()
    threading.Timer(0.1, os.close, [theirs]).start()
    code = guard(["/bin/sleep", "60"], ours, grace_seconds=5.0, folder=str(folder))
    os.close(ours)
    assert code == 128 + 15
    assert not folder.exists()


def test_the_guard_kills_what_does_not_stop() -> None:
    ours, theirs = os.pipe()
    out, child = os.pipe()
    # It says when it ignores SIGTERM: an earlier end would be a polite one.
    script = f"trap '' TERM; echo > /proc/{os.getpid()}/fd/{child}; exec sleep 60"

    def let_go() -> None:
        os.read(out, 1)
        os.close(theirs)

    thread = threading.Thread(target=let_go)
    thread.start()
    code = guard(shell(script), ours, grace_seconds=0.1, folder="")
    thread.join()
    for descriptor in (ours, out, child):
        os.close(descriptor)
    assert code == 128 + 9
