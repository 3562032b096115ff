"""Fifty coordinators who want one room at one hour, at the same moment, from a server of twenty processes.

Exactly one gets it; the others are told so (409), and nobody sees a failure. The ceiling is the same fifty bookings
without a room, for which nobody has to give way.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from bench import clients
from bench.bookings import SEED, meeting
from bench.installation import SQLITE, installation, served
from scheduler import access, admin
from scheduler.db import tables as t
from scheduler.desk import Desk

RIVALS, PROCESSES = 50, 20
SERVER = ("gunicorn", "--no-control-socket", "--workers", str(PROCESSES))
ROOM = "gwangjin-video"


@dataclass(frozen=True)
class Rush:
    """What fifty requests at one moment came to."""

    statuses: Counter[int]
    seconds: float
    slowest_ms: float


def main(url: str = SQLITE) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = installation(folder, url)
        tokens, chance = _coordinators(desk), random.Random(SEED)
        with served("scheduler.web:create_app()", folder, SERVER) as port:
            hour = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT06:00:00Z}"
            for _ in range(5):  # every process has served by then
                ceiling = _rush(port, [_wish(token, chance) for token in tokens])
            found = _rush(port, [_wish(token, chance, room=ROOM, start=hour) for token in tokens])
        with desk.store.read() as db:
            held = db.scalar(select(func.count()).select_from(t.bookings))
        desk.store.close()
    return _show(found, ceiling, held or 0)


def _show(found: Rush, ceiling: Rush, held: int) -> int:
    missed = found.statuses != {201: 1, 409: RIVALS - 1} or held != 1
    others = sum(count for status, count in found.statuses.items() if status not in (201, 409))
    print(f"{'rivals':>10} {'processes':>10} {'booked':>7} {'409':>4} {'other':>6} {'in database':>12}"
          f" {'seconds':>8} {'ceiling':>8} {'slowest ms':>11}")  # fmt: skip
    print(f"{RIVALS:>10} {PROCESSES:>10} {found.statuses[201]:>7} {found.statuses[409]:>4} {others:>6} {held:>12}"
          f" {found.seconds:>8.2f} {ceiling.seconds:>8.2f} {found.slowest_ms:>11.0f}"
          f"{'  MISSED' if missed else ''}")  # fmt: skip
    return int(missed)


def _rush(port: int, requests: list[bytes]) -> Rush:
    begin = time.perf_counter()
    answers = clients.ask(port, requests, len(requests))
    seconds = time.perf_counter() - begin
    return Rush(Counter(a.status for a in answers), seconds, max(a.milliseconds for a in answers))


def _coordinators(desk: Desk) -> list[str]:
    """The API tokens of so many coordinators of one city."""
    addresses = [f"desk{number}@gwangjin.example" for number in range(RIVALS)]
    for address in addresses:
        admin.add_person(desk, "Planning desk", address, "gwangjin", "ko", "coordinator")
    return [access.new_api_token(desk, address)[1] for address in addresses]


def _wish(token: str, chance: random.Random, **changes: object) -> bytes:
    return clients.posted("/api/v1/meetings", token, meeting(chance, **changes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
