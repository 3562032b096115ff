"""How fast a feed is served: the real application under waitress, asked over loopback.

The ceiling is measured in the same run: the same bytes, finished, from a bare Flask view under the same server. Times
are medians on the server's side, from the request to the last byte handed to the socket; beside them the whole round
trip as its client sees it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask, Response

from bench.serving import Timing, served
from scheduler import admin, entries, feeds, installation
from scheduler.config import Database, Mail, Server, Settings
from scheduler.core import decisions, zones
from scheduler.core.cities import Person
from scheduler.core.drafts import Bounds, check
from scheduler.core.meeting import Draft, Invitee, as_invitee
from scheduler.core.words import Wording
from scheduler.db import directory as cities
from scheduler.db import meetings
from scheduler.desk import Desk
from scheduler.web import create_app

SEED = 20270111
NOW = datetime(2027, 1, 11, 1, 0, tzinfo=UTC)
REPEATS = 200
TARGETS = {(1_000, 200): 2.0, (10_000, 200): 6.0, (1_000, 304): 1.5, (10_000, 304): 1.5}
PEOPLE = (
    Invitee("Planning desk", "planning@gwangjin.example", "gwangjin", "ko"),
    Invitee("Foreign relations", "foreign@ulaanbaatar.example", "ulaanbaatar", "mn"),
    Invitee("Foreign relations", "relations@eregli.example", "eregli", "tr"),
)


def main() -> int:
    missed = 0
    print(f"{'meetings':>9} {'bytes':>10} {'answer':>7} {'median ms':>10} {'ceiling ms':>11} {'target ms':>10}"
          f" {'round trip ms':>14} {'ceiling ms':>11}")  # fmt: skip
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            for measured in _measure(Path(folder), count):
                missed += measured.show()
    return 1 if missed else 0


@dataclass
class Measured:
    meetings: int
    size: int
    status: int
    ours: Timing
    ceiling: Timing

    def show(self) -> bool:
        target = TARGETS[self.meetings, self.status]
        missed = self.ours.server > target
        print(f"{self.meetings:>9,} {self.size:>10,} {self.status:>7} {self.ours.server:>10.2f}"
              f" {self.ceiling.server:>11.2f} {target:>10.1f} {self.ours.client:>14.2f} {self.ceiling.client:>11.2f}"
              f"{'  MISSED' if missed else ''}")  # fmt: skip
        return missed


def _measure(folder: Path, count: int) -> Iterator[Measured]:
    desk, person = _filled(folder, count)
    path = feeds.create(desk, person, "city", "gwangjin").url.removeprefix(desk.settings.server.base_url)
    app = create_app(desk=desk)
    first = app.test_client().get(path, base_url=desk.settings.server.base_url)
    assert first.data.count(b"BEGIN:VEVENT") == count
    bare = _bare(first.data, first.headers["ETag"])
    conditional = f"If-None-Match: {first.headers['ETag']}\r\n"
    with served(app) as ours, served(bare) as ceiling:
        for status, headers in ((200, ""), (304, conditional)):
            sizes = {ours.ask(path, status, headers), ceiling.ask(f"/{status}", status, headers)}
            for _ in range(REPEATS):  # in turns, so that whatever else the machine does disturbs both alike
                ours.ask(path, status, headers)
                ceiling.ask(f"/{status}", status, headers)
            assert len(sizes) == 1
            yield Measured(count, sizes.pop(), status, ours.timing(), ceiling.timing())


def _filled(folder: Path, count: int) -> tuple[Desk, Person]:
    """A desk with `count` meetings of Gwangjin-gu, as `booking.create` would have left them but for the mail."""
    settings = Settings(
        server=Server(secret_key_file=folder / "secret.key"),
        database=Database(url=f"sqlite:///{folder}/scheduler.db"),
        mail=Mail(smtp_url=f"mailbox:{folder}/mail", from_address="meetings@gwangjin.example"),
    )
    desk = replace(installation.prepare(settings), clock=lambda: NOW)
    admin.load_example(desk)
    directory, chance = desk.directory(), random.Random(SEED)
    with desk.store.write() as db:
        person = next(p for p in cities.people(db, "gwangjin") if p.role == "coordinator")
        for number in range(count):
            checked = check(_draft(chance, number), directory, Bounds(NOW, settings.mail.from_address, 100))
            decision = decisions.create(
                checked, now=NOW, id=number + 1, uid=f"{chance.randbytes(16).hex()}@gwangjin.example",
                owner_id=person.id, chair=as_invitee(person), invite=desk.new_invitation,
            )  # fmt: skip
            rows = desk.store.rows()
            meetings.add(rows, decision.meeting, directory, desk.token_hashes)
            rows.write(db)
    while entries.complete(desk, limit=1000):
        pass
    return desk, person


def _draft(chance: random.Random, number: int) -> Draft:
    partners = chance.choice([("ulaanbaatar",), ("eregli",), ("ulaanbaatar", "eregli")])
    start = datetime(2027, 1, 12, 6, 0, tzinfo=UTC) + timedelta(days=number % 1500, minutes=15 * chance.randrange(12))
    return Draft(
        title=Wording.of({"en": f"Urban regeneration, part {number}", "ko": f"도시재생 화상회의 {number}"}),
        field=chance.choice(["environment", "economy", "culture", "education"]),
        host="gwangjin",
        cities=("gwangjin", *partners),
        duration_minutes=chance.choice([30, 60, 90]),
        people=tuple(p for p in PEOPLE if p.city in ("gwangjin", *partners)),
        wall=zones.to_local(start, "Asia/Seoul").replace(tzinfo=None),
        zone="Asia/Seoul",
        agenda=Wording.of("1. Figures\n2. Plans\n3. Next steps", lines=True),
        video_url=f"https://video.example/room-{number}",
    )


def _bare(content: bytes, etag: str) -> Flask:
    app = Flask("bare")

    @app.get("/200")
    def whole() -> Response:
        return Response(content, content_type="text/calendar; charset=utf-8", headers={"ETag": etag})

    @app.get("/304")
    def unchanged() -> Response:
        return Response(status=304, headers={"ETag": etag})

    return app
