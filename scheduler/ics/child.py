"""A child process that reads one file of a stranger and lives no longer.

It has no secrets in its environment, no open files but its two pipes, and limits on time and memory, so that a hostile
file can hurt nothing but itself. What it says is one JSON object of a bounded size; whoever asked checks what it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from scheduler.ics.components import Unreadable

CPU_SECONDS = 3
MEMORY_BYTES = 512 * 1024 * 1024
WALL_SECONDS = 20  # the child shares its processors with others; the CPU limit is the sharp one
ANSWER_BYTES = 8_000_000

ROOT = str(Path(__file__).resolve().parents[2])
# Isolated mode ignores the working directory and PYTHONPATH, so the place of this package is told, installed or not.
PROGRAM = """
import sys
from importlib import import_module
root, module, *arguments = sys.argv[1:]
if root not in sys.path:
    sys.path.insert(0, root)
import_module(module).answer(*arguments)
"""


def ask(module: str, data: bytes, *arguments: str) -> dict[str, Any]:
    """What `module.answer(*arguments)` prints, with `data` as its standard input.

    Raises Unreadable when it was stopped or says nothing sensible; OSError only when no process can be started.
    """
    with subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM, ROOT, module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback could quote the file
        env={name: os.environ[name] for name in ("PYTZ_TZDATADIR",) if name in os.environ},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        end = threading.Timer(WALL_SECONDS, stop)
        feeder = threading.Thread(target=_feed, args=(process.stdin, data), daemon=True)
        end.start()
        feeder.start()
        try:
            said = process.stdout.read(ANSWER_BYTES + 1)
            if len(said) > ANSWER_BYTES:
                process.kill()
            process.wait()
        finally:
            end.cancel()
            process.kill()
            feeder.join()
    if late.is_set():
        raise Unreadable(f"reading took longer than {WALL_SECONDS} seconds")
    if process.returncode:
        raise Unreadable(f"the reader was stopped (status {process.returncode})")
    return _object(said)


def _feed(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(data)


def _object(said: bytes) -> dict[str, Any]:
    try:
        told = json.loads(said)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Unreadable("the reader said nothing that makes sense")
    return told


def limit_resources(cpu_seconds: int = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
    """Limits this process; beyond them it is killed (CPU) or gets MemoryError. No file can be written."""
    limits = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for which, value in limits.items():
        with contextlib.suppress(ValueError, OSError):  # a system without this limit, or with a lower one already
            resource.setrlimit(which, (value, value))
