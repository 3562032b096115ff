"""Durable bookings by eight clients at once: each a meeting with three invitations and the coordinator's copy.

The real thing: HTTP to gunicorn as docs/operation.md has it, SQLite with synchronous=FULL (or another database, whose
address is the argument), the mails rendered and stored before the answer. The ceiling is measured in the same run and
the same set-up: a bare Flask view that inserts one row by SQLAlchemy Core and commits it, as durably. What was answered
is counted in the database at the end.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from statistics import median, quantiles

from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, insert, select

from bench import clients
from bench.installation import COORDINATOR, SQLITE, installation, served
from scheduler import access, config
from scheduler.db import tables as t
from scheduler.db.engine import Store

SEED = 20270111
CLIENTS = 8
ROUNDS, SECONDS = 4, 2.0  # in turns with the ceiling, so that whatever else the machine does disturbs both alike
LEAST_PER_SECOND, MOST_P99 = 150.0, 60.0  # the second on SQLite
ROWS = Table("bench_rows", MetaData(), Column("id", Integer, primary_key=True), Column("text", Text, nullable=False))


def main(url: str = SQLITE) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = installation(folder, url)
        ROWS.create(desk.store.engine, checkfirst=True)
        _, token = access.new_api_token(desk, COORDINATOR)
        with served("scheduler.web:create_app()", folder) as ours, served("bench.bookings:bare()", folder) as bare:
            asked = (
                _Asked(ours, lambda chance: clients.posted("/api/v1/meetings", token, meeting(chance))),
                _Asked(bare, lambda _: clients.posted("/", token, b"")),
            )
            for number in range(ROUNDS + 1):
                for one in asked:
                    one.round(SECONDS, counts=number > 0)  # the first warms up
                if number == 0 and not desk.store.file:
                    _analyse(desk.store)
        with desk.store.read() as db:
            stored = [db.scalar(select(func.count()).select_from(table)) for table in (t.meetings, t.outbox)]
        assert stored == [asked[0].answered, asked[0].answered * 4], (stored, asked[0].answered)
        desk.store.close()
    return _show(*asked, most_p99=MOST_P99 if desk.store.file else None)


def _analyse(store: Store) -> None:
    """What PostgreSQL does by itself a minute after a table has grown: until then it plans for the empty one."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql("VACUUM ANALYZE")


def _show(ours: _Asked, ceiling: _Asked, most_p99: float | None) -> int:
    missed = ours.per_second < LEAST_PER_SECOND or (most_p99 is not None and ours.p99 > most_p99)
    print(f"{'bookings':>10} {'per second':>11} {'target':>7} {'ceiling':>8} {'of it':>6}"
          f" {'p99 ms':>7} {'target':>7} {'ceiling':>8} {'median ms':>10}")  # fmt: skip
    print(f"{ours.answered:>10,} {ours.per_second:>11.0f} {LEAST_PER_SECOND:>7.0f} {ceiling.per_second:>8.0f}"
          f" {ours.per_second / ceiling.per_second:>6.0%} {ours.p99:>7.0f} {most_p99 or '-':>7} {ceiling.p99:>8.1f}"
          f" {median(ours.milliseconds):>10.1f}{'  MISSED' if missed else ''}")  # fmt: skip
    return int(missed)


@dataclass
class _Asked:
    """A server that eight clients ask as fast as they are answered."""

    port: int
    request: Callable[[random.Random], bytes]
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
        chance = random.Random(f"{SEED} {self.answered}")
        prepared = [self.request(chance) for _ in range(int(seconds * 2000))]
        begin = time.perf_counter()
        found = clients.ask(self.port, takewhile(lambda _: time.perf_counter() < begin + seconds, prepared), CLIENTS)
        elapsed = time.perf_counter() - begin
        assert {answer.status for answer in found} == {201}, next(a for a in found if a.status != 201)
        self.answered += len(found)
        if counts:
            self.rates.append(len(found) / elapsed)
            self.milliseconds += [answer.milliseconds for answer in found]


def meeting(chance: random.Random, **changes: object) -> bytes:
    """The body of a request for a meeting of three cities at some hour of the next two years."""
    number = chance.randrange(10**9)
    tomorrow = datetime.now(UTC).replace(hour=6, minute=0) + timedelta(days=1)
    start = tomorrow + timedelta(days=chance.randrange(700), minutes=15 * (number % 12))
    people = [
        ("gwangjin", "ko", "도시계획과"),
        ("ulaanbaatar", "mn", "Хот байгуулалтын хэлтэс"),
        ("eregli", "tr", "İmar Müdürlüğü"),
    ]
    wanted: dict[str, object] = {
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
    return json.dumps(wanted | changes).encode()


def bare() -> Flask:
    """The ceiling: one row, one durable commit."""
    store = Store(config.load().database.url)
    app = Flask("bare")

    @app.post("/")
    def add() -> tuple[str, int]:
        with store.write() as db:
            db.execute(insert(ROWS), {"text": "a" * 200})
        return "", 201

    return app


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
