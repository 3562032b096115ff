"""Durable bookings by eight clients at once: each a meeting with three invitations and the coordinator's copy.

The real thing: HTTP to gunicorn with two processes, SQLite with synchronous=FULL, the mails rendered and stored before
the answer. The ceiling is measured in the same run and the same set-up: a bare Flask view that inserts one row by
SQLAlchemy Core and commits it, as durably. What was answered is counted in the database at the end.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, insert, select

from scheduler import access, admin, commands, config
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk

SEED = 20270111
CLIENTS = 8
ROUNDS, SECONDS = 4, 2.0  # in turns with the ceiling, so that whatever else the machine does disturbs both alike
LEAST_PER_SECOND, MOST_P99 = 150.0, 60.0
COORDINATOR = "international@gwangjin.example"
SERVER = ("gunicorn", "--workers", "2", "--threads", "4")  # as docs/operation.md has it

Body = Callable[[random.Random], bytes]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = installation(folder)
        _, token = access.new_api_token(desk, COORDINATOR)
        with _served("scheduler.web:create_app()", folder) as ours, _served("bench.bookings:bare()", folder) as bare:
            asked = _Asked(ours, "/api/v1/meetings", _meeting, token), _Asked(bare, "/", lambda _: b"", token)
            for number in range(ROUNDS + 1):
                for one in asked:
                    one.round(SECONDS if number else SECONDS / 2, counts=number > 0)  # the first warms up
        with desk.store.read() as db:
            stored = [db.scalar(select(func.count()).select_from(table)) for table in (t.meetings, t.outbox)]
        assert stored == [asked[0].answered, asked[0].answered * 4], (stored, asked[0].answered)
    return _show(*asked)


def _show(ours: _Asked, ceiling: _Asked) -> int:
    missed = ours.per_second < LEAST_PER_SECOND or ours.p99 > MOST_P99
    print(f"{'bookings':>10} {'per second':>11} {'target':>7} {'ceiling':>8} {'of it':>6}"
          f" {'p99 ms':>7} {'target':>7} {'ceiling':>8} {'median ms':>10}")  # fmt: skip
    print(f"{ours.answered:>10,} {ours.per_second:>11.0f} {LEAST_PER_SECOND:>7.0f} {ceiling.per_second:>8.0f}"
          f" {ours.per_second / ceiling.per_second:>6.0%} {ours.p99:>7.0f} {MOST_P99:>7.0f} {ceiling.p99:>8.1f}"
          f" {median(ours.milliseconds):>10.1f}{'  MISSED' if missed else ''}")  # fmt: skip
    return int(missed)


@dataclass
class _Asked:
    """Eight clients that post to one address, each on its own connection, as fast as they are answered."""

    port: int
    path: str
    body: Body
    token: str
    answered: int = 0
    rates: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return median(self.rates)

    @property
    def p99(self) -> float:
        return quantiles(self.milliseconds, n=100)[-1]

    def round(self, seconds: float, counts: bool) -> None:
        taken: list[list[float]] = [[] for _ in range(CLIENTS)]
        begin = time.perf_counter()
        chances = [random.Random(f"{SEED} {number} {self.answered}") for number in range(CLIENTS)]
        clients = [
            threading.Thread(target=self._post, args=(own, chance, begin + seconds))
            for own, chance in zip(taken, chances, strict=True)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        elapsed, times = time.perf_counter() - begin, [one for own in taken for one in own]
        self.answered += len(times)
        if counts:
            self.rates.append(len(times) / elapsed)
            self.milliseconds += times

    def _post(self, taken: list[float], chance: random.Random, until: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        head = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        while time.perf_counter() < until:
            body = self.body(chance)
            since = time.perf_counter()
            connection.request("POST", self.path, body, head)
            answer = connection.getresponse()
            content = answer.read()
            taken.append(1000 * (time.perf_counter() - since))
            assert answer.status == 201, content
        connection.close()


def _meeting(chance: random.Random) -> bytes:
    number = chance.randrange(10**9)
    tomorrow = datetime.now(UTC).replace(hour=6, minute=0) + timedelta(days=1)
    start = tomorrow + timedelta(days=chance.randrange(700), minutes=15 * (number % 12))
    people = [
        ("gwangjin", "ko", "도시계획과"),
        ("ulaanbaatar", "mn", "Хот байгуулалтын хэлтэс"),
        ("eregli", "tr", "İmar Müdürlüğü"),
    ]
    return json.dumps(
        {
            "title": {"ko": f"도시재생 화상회의 {number}", "en": f"Urban regeneration {number}"},
            "field": "environment",
            "host": "gwangjin",
            "cities": ["ulaanbaatar", "eregli"],
            "start": f"{start:%Y-%m-%dT%H:%M:00Z}",
            "duration_minutes": 60,
            "agenda": "1. Figures\n2. Plans\n3. Next steps",
            "video_url": f"https://video.example/room-{number}",
            "people": [
                {"name": name, "email": f"urban{number % 97}@{city}.example", "city": city, "language": language}
                for city, language, name in people
            ],
        }
    ).encode()


# --- the servers


def installation(folder: Path) -> Desk:
    (folder / "config.toml").write_text(
        '[server]\nbase_url = "http://127.0.0.1:8000"\n[database]\nurl = "sqlite:///scheduler.db"\n'
        '[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meetings@gwangjin.example"\n',
        "utf-8",
    )
    desk = commands.prepare(config.load(folder / "config.toml"))
    admin.load_example(desk)
    return desk


@contextmanager
def _served(application: str, folder: Path) -> Iterator[int]:
    """The port of the application, which is served as an installation of several processes serves it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"SCHEDULER_CONFIG": str(folder / "config.toml"), "BENCH_FOLDER": str(folder)}
    command = [sys.executable, "-m", *SERVER, "--log-level", "warning", "--bind", f"127.0.0.1:{port}", application]
    server = subprocess.Popen(command, env=environment)
    try:
        _wait(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait(port: int) -> None:
    for _ in range(300):
        with socket.socket() as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    raise TimeoutError("the server does not start")


def bare() -> Flask:
    """The ceiling: one row, one durable commit."""
    rows = Table("rows", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text, nullable=False))
    store = Store(f"sqlite:///{os.environ['BENCH_FOLDER']}/bare.db")
    with store.write() as db:
        rows.create(db, checkfirst=True)
    app = Flask("bare")

    @app.post("/")
    def add() -> tuple[str, int]:
        with store.write() as db:
            db.execute(insert(rows), {"text": "a" * 200})
        return "", 201

    return app


if __name__ == "__main__":
    sys.exit(main())
