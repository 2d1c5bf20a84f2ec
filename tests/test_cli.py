from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest

from admit import __version__
from admit.cli.root import COMMANDS, root
from tests.commands import POD, POLICIES, invoke, write

if TYPE_CHECKING:
    from pathlib import Path


def run(
    *arguments: str, folder: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "admit", *arguments],
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_version_is_shown() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"admit {__version__}\n")


def test_help_lists_every_command_in_reading_order() -> None:
    lines = invoke("-h").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert list(root.commands) == []  # nothing but the table says which there are


def every_command() -> list[str]:
    """Return all that can be typed, `rescue plan` among it."""
    found = []
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        below = command.commands if isinstance(command, click.Group) else [""]
        found += [f"{name} {one}".strip() for one in below]
    return found


@pytest.mark.parametrize("command", every_command())
def test_every_help_has_an_example_and_the_common_options(command: str) -> None:
    result = invoke(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"admit {command}" in result.stdout
    for option in ("-o, --output", "--debug", "-h, --help"):
        assert option in result.stdout


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    result = invoke("reviews")
    assert result.exit_code == 2
    assert "Did you mean 'review'?" in result.stderr
    assert invoke("zzz").exit_code == 2


def test_a_command_is_imported_only_when_it_runs() -> None:
    script = (
        "import sys; from admit.cli import main\n"
        "try: main()\n"
        "finally: print(sorted(m for m in sys.modules if m.startswith('admit.cli.')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[1] == "['admit.cli.output', 'admit.cli.root']"


def test_an_error_says_message_place_and_hint_and_no_traceback(tmp_path: Path) -> None:
    write(tmp_path / "policies.py", "import nothing_like_it\n")
    write(tmp_path / "pod.yaml", POD)
    result = run("review", "policies.py", "-f", "pod.yaml", folder=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: the import fails: No module named 'nothing_like_it'",
        f"  at: {tmp_path}/policies.py:1",
        (
            "  hint: install nothing_like_it where admit is installed, or put it beside "
            "the policies"
        ),
    ]


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_the_traceback(tmp_path: Path, *, before: bool) -> None:
    file = write(tmp_path / "policies.py", "def f():\n    1 / 0\nf()\n")
    command = ["review", file, "-f", "pod.yaml"]
    result = invoke(*(["--debug", *command] if before else [*command, "--debug"]))
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr
    assert "ZeroDivisionError" in result.stderr
    assert "error: the import fails: ZeroDivisionError" in result.stderr


def test_what_a_terminal_would_obey_is_escaped(tmp_path: Path) -> None:
    text = POLICIES.replace("Pod must have", "\\x1b[2J\\x07Pod must have")
    file = write(tmp_path / "policies.py", text)
    pod = write(tmp_path / "pod.yaml", POD)
    result = invoke("review", file, "-f", pod, "-n", "raw")
    assert "\x1b" not in result.stdout
    assert "\\x1b[2J\\x07Pod must have" in result.stdout


def test_python_m_admit_is_admit() -> None:
    assert run("--version").stdout == f"admit {__version__}\n"


@pytest.mark.parametrize("options", ["", "-n raw"])
def test_nobody_who_reads_is_no_denial_and_no_traceback(
    tmp_path: Path, options: str
) -> None:
    write(tmp_path / "policies.py", POLICIES)
    write(tmp_path / "pods.yaml", "---\n".join([POD] * 500))
    command = f"{sys.executable} -m admit review policies.py -f pods.yaml {options}"
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.splitlines()[1] == "141"
    assert result.stderr == ""


def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    write(
        tmp_path / "policies.py",
        """
        import os, signal
        os.kill(os.getpid(), signal.SIGINT)
        """,
    )
    result = run("review", "policies.py", "-f", "pod.yaml", folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_a_file_that_may_not_be_written_is_the_operators_fault(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    result = invoke("assets", "--cache", tmp_path / "cache/below")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_a_bug_in_admit_is_told_apart_from_a_denial(tmp_path: Path) -> None:
    # A document whose kind is no hashable thing of ours would be one: none is known,
    # so a policy module that breaks Python itself has to do.
    write(
        tmp_path / "policies.py",
        f"{POLICIES}\nimport asyncio\nasyncio.run = None\n",
    )
    write(tmp_path / "pod.yaml", POD)
    result = run("review", "policies.py", "-f", "pod.yaml", folder=tmp_path)
    assert result.returncode == 70
    assert "a bug in admit: TypeError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_blocking_policy_that_hangs_does_not_keep_the_command(tmp_path: Path) -> None:
    write(
        tmp_path / "policies.py",
        """
        import time
        from admit import App, Pod

        app = App("x", timeout_seconds=1)

        @app.validate(blocking=True)
        def hangs(pod: Pod) -> None:
            time.sleep(3600)
        """,
    )
    write(tmp_path / "pod.yaml", POD)
    start = time.monotonic()
    result = run("review", "policies.py", "-f", "pod.yaml", folder=tmp_path)
    assert result.returncode == 2
    assert "policy hangs was still running at the deadline" in result.stdout
    assert time.monotonic() - start < 60  # it would be an hour
