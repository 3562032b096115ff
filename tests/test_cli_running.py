"""The commands that stay, as real processes: the demonstration, the web with its worker, mail through a pipe."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler import paths


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "scheduler", *map(str, arguments)]


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The process with its standard output; ended as an operator ends it, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent)}
    process = subprocess.Popen(
        command(*arguments), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, 130), process.stderr.read() if process.stderr else ""
    finally:
        for number in children(process):
            os.kill(number, signal.SIGKILL)
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def lines_until(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return line
    raise AssertionError(f"ended before it said: {start}; {process.stderr.read() if process.stderr else ''}")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def children(process: subprocess.Popen[str]) -> list[int]:
    """Of all its threads: a worker that was started again is the child of the thread that watches."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(number) for listed in tasks for number in listed.read_text().split()]


def is_alive(number: int) -> bool:
    state = Path(f"/proc/{number}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def test_the_demonstration_starts_both_and_ends_both(tmp_path: Path, port: int) -> None:
    with running(tmp_path, "demo", "--dir", "demo", "--port", port) as process:
        link = lines_until(process, "Sign in").split()[-1]
        assert link.startswith(f"http://127.0.0.1:{port}/sign-in/")
        assert b"<form" in get(link)
        assert json.loads(get(f"http://127.0.0.1:{port}/api/v1/openapi.json"))["openapi"] == "3.1.0"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(f"http://127.0.0.1:{port}/api/v1/meetings")
        (worker,) = children(process)
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and children(process) in ([], [worker]):
            time.sleep(0.2)
        (again,) = children(process)
        assert again != worker
    assert not is_alive(again)
    assert (tmp_path / "demo" / "scheduler.db").is_file()


def test_a_taken_port_is_a_fault_and_starts_nothing(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent)}
        done = subprocess.run(
            command("demo", "--dir", "demo", "--port", taken),
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "scheduler: " in done.stderr.splitlines()[-1]


def test_a_reset_removes_what_was_stored_and_nothing_else(tmp_path: Path, port: int) -> None:
    folder = tmp_path / "demo"
    (folder / "mail").mkdir(parents=True)
    (folder / "mail" / "old.eml").write_text("old")
    (folder / "notes.txt").write_text("mine")
    (folder / "scheduler.db").write_text("broken")
    with running(tmp_path, "demo", "--dir", "demo", "--port", port, "--reset") as process:
        lines_until(process, "Sign in")
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "mail" / "old.eml").exists()


def test_serve_and_worker_run_on_an_installation(tmp_path: Path, port: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent)}
    (tmp_path / "config.toml").write_text('[mail]\nsmtp_url = "mailbox:mail"\n', "utf-8")

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command(*arguments), cwd=tmp_path, env=environment, input=given, capture_output=True, timeout=60, check=True
        )

    run("init", "--example")
    received = run("receive", given=b"From: a@eregli.example\r\nSubject: Hello\r\n\r\nText\r\n")
    assert json.loads(received.stdout)["outcome"]
    assert run("worker", "--once").returncode == 0
    with running(tmp_path, "serve", "--port", port, "--with-worker") as process:
        lines_until(process, "Serving")
        assert json.loads(get(f"http://127.0.0.1:{port}/health/ready"))["status"] == "ok"
        (worker,) = children(process)
    assert not is_alive(worker)
