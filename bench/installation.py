"""An installation with the example cities in a folder of its own, served as docs/operation.md has it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scheduler import admin, config
from scheduler import installation as product
from scheduler.desk import Desk

COORDINATOR = "international@gwangjin.example"
SQLITE = "sqlite:///scheduler.db"  # in the installation's folder
SERVER = ("gunicorn", "--no-control-socket", "--workers", str(os.cpu_count() or 2))  # one for each core


def installation(folder: Path, url: str = SQLITE) -> Desk:
    (folder / "config.toml").write_text(
        f'[server]\nbase_url = "http://127.0.0.1:8000"\n[database]\nurl = "{url}"\n'
        '[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meetings@gwangjin.example"\n',
        "utf-8",
    )
    desk = product.prepare(config.load(folder / "config.toml"))
    admin.load_example(desk)
    return desk


@contextmanager
def served(application: str, folder: Path, server: Sequence[str] = SERVER) -> Iterator[int]:
    """The port of the application, served by the processes that `server` says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"SCHEDULER_CONFIG": str(folder / "config.toml")}
    command = [sys.executable, "-m", *server, "--log-level", "warning", "--bind", f"127.0.0.1:{port}", application]
    with (folder / "log").open("ab") as log:  # as a supervisor keeps it
        process = subprocess.Popen(command, env=environment, stderr=log)
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(300):
        with socket.socket() as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    raise TimeoutError("the server does not start")
