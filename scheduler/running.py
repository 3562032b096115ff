"""The commands that stay: the web, the worker, and the demonstration that runs both.

The worker is a process of its own, so that neither can stop the other. Whoever starts it here ends it, with Ctrl-C or
SIGTERM, and starts it again should it die.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import waitress

from scheduler import access, admin, config, installation, logs
from scheduler.desk import Desk
from scheduler.web import create_app
from scheduler.worker import Worker

COORDINATOR_CITY = "gwangjin"
# How waitress serves: it names neither itself nor its version.
SERVER: dict[str, Any] = {"threads": 8, "ident": None}
_RESTART_SECONDS = 2.0
_END_SECONDS = 15.0
_DATABASE = "scheduler.db"
_STORED = (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm", "secret.key", "config.toml")


def serve(given: argparse.Namespace) -> int:
    logs.to_stderr()
    _end_on_sigterm()
    desk = installation.open_desk(given)
    server = _bound(desk, given.host, given.port)
    print(f"Serving on http://{given.host}:{server.effective_port}", flush=True)
    _run(server, _worker(given.config) if given.with_worker else nullcontext())
    return 0


def work(given: argparse.Namespace) -> int:
    logs.to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    desk = installation.open_desk(given)
    worker = Worker(desk, stop)
    if given.once:
        return 0 if worker.once() else 1
    worker.run()
    return 0


def demo(given: argparse.Namespace) -> int:
    logs.to_stderr()
    _end_on_sigterm()
    folder: Path = given.dir
    if given.reset:
        _forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.toml"
    file.write_text(_demo_configuration(given.port), "utf-8")
    desk = installation.prepare(config.load(file))
    admin.load_example(desk)
    server = _bound(desk, "127.0.0.1", given.port)
    with _worker(file):
        print(f"The pages: {desk.settings.server.base_url} (Ctrl-C ends the demonstration)")
        print(f"Mail arrives here: {desk.settings.server.base_url}/mailbox")
        print(f"Sign in within 10 minutes, once: {access.new_sign_in_link(desk, _coordinator(desk))}", flush=True)
        _run(server, nullcontext())
    return 0


def _coordinator(desk: Desk) -> str:
    people = admin.list_people(desk)
    return next(p.email for p in people if p.city == COORDINATOR_CITY and p.role == "coordinator" and p.signs_in)


def _demo_configuration(port: int) -> str:
    return f"""\
# Written by `scheduler demo`, anew at each start.
[server]
base_url = "http://127.0.0.1:{port}"

[database]
url = "sqlite:///{_DATABASE}"

[mail]
smtp_url = "mailbox:mail"
from_address = "meetings@gwangjin.example"
"""


def _forget(folder: Path) -> None:
    """Removes what an earlier demo stored, and nothing else that may lie in the folder."""
    stored = [folder / name for name in _STORED] + [p for p in (folder / "mail").glob("*") if p.is_file()]
    for path in stored:
        path.unlink(missing_ok=True)


def _bound(desk: Desk, host: str, port: int) -> Any:
    """A server that holds its port already, so that a taken one is a fault before anything is started."""
    return waitress.create_server(create_app(desk=desk), host=host, port=port, **SERVER)


def _run(server: Any, beside: Any) -> None:
    """Serves until Ctrl-C or SIGTERM."""
    gc.freeze()  # as `scheduler.web` does where another server calls it
    with beside:
        try:
            server.run()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()


def _end_on_sigterm() -> None:
    """From the beginning, so that no worker is left behind."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)


@contextmanager
def _worker(file: Path | None) -> Iterator[None]:
    """A worker process beside, started again when it dies, ended with the block."""
    chosen = ["--config", str(file)] if file else []
    command = [sys.executable, "-m", "scheduler", *chosen, "worker"]
    ended = threading.Event()
    processes = [_start(command)]

    def watch() -> None:
        while not ended.is_set():
            status = processes[-1].wait()
            if not ended.wait(_RESTART_SECONDS):
                logging.getLogger(__name__).error("the worker ended with status %s and is started again", status)
                processes.append(_start(command))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        _end(processes[-1])
        watcher.join(_END_SECONDS)
        _end(processes[-1])  # one that was just being started


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches us alone, and we end it."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
