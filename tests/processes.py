"""Real processes for tests: forked from a server that has imported the product already, so that a start costs nothing.

A process opens the database anew, as every process of an installation does. What it does stands in functions that can
be imported; what it has to say it appends to a file, because a process that is killed says nothing more.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import waitress

from scheduler import running
from scheduler.config import Settings
from scheduler.desk import Desk
from scheduler.web import create_app
from tests import failpoints
from tests.ports import free_port as free_port

PRELOADED = ["pytest", "scheduler.running", "tests.processes", "tests.warm"]
PATIENCE = 60.0  # seconds after which a process that should have ended counts as stuck


def context() -> ForkServerContext:
    # The server finds the tests by PYTHONPATH: Python 3.11 does not hand it our sys.path before it preloads.
    root = str(Path(__file__).resolve().parent.parent)
    if root not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


def start(target: Callable[..., None], *args: Any, failpoint: str = "") -> BaseProcess:
    """A process that does `target`. `failpoint`: where it dies (see `failpoints`)."""
    process = context().Process(target=_armed, args=(failpoint, target, args), daemon=True)
    process.start()
    return process


def _armed(failpoint: str, target: Callable[..., None], args: tuple[Any, ...]) -> None:
    os.environ[failpoints.VARIABLE] = failpoint
    failpoints.arm()
    target(*args)


def serve(settings: Settings, now: datetime, port: int) -> None:
    """The real web server, until it is killed."""
    app = failpoints.watched(create_app(desk=opened(settings, now)))
    waitress.create_server(app, host="127.0.0.1", port=port, **running.SERVER).run()


def was_killed(process: BaseProcess) -> bool:
    """Waits for its end; whether it died at its failpoint."""
    process.join(PATIENCE)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def end_well(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0, process.exitcode


def all_at_once(target: Callable[..., str], settings: Settings, now: datetime, count: int, report: Path) -> list[str]:
    """What `count` processes return that call `target(desk, number)` at the same moment."""
    barrier = context().Barrier(count)
    end_well([start(_at_once, barrier, target, settings, now, number, report) for number in range(count)])
    return report.read_text("utf-8").splitlines()


def _at_once(
    barrier: Any, target: Callable[..., str], settings: Settings, now: datetime, number: int, to: Path
) -> None:
    desk = opened(settings, now)
    barrier.wait(PATIENCE)
    try:
        line = target(desk, number)
    except Exception as error:
        line = f"{type(error).__name__} {error}".replace("\n", " ")
    say(to, line)


def opened(settings: Settings, now: datetime) -> Desk:
    """The desk of a process of its own, where it is `now` for ever."""
    return replace(Desk.open(settings), clock=lambda: now)


def say(to: Path, line: str) -> None:
    """Appends a line in one piece, on disk before this returns."""
    handle = os.open(to, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line}\n".encode())
    os.fsync(handle)
    os.close(handle)
