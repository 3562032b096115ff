"""How long the pages take that people open most: one meeting, the agenda, and the same as the API gives them.

With 1,000 meetings and with 100,000, of which a list shows fifty. The ceiling is a trivial Flask view in the same run;
all are asked in turns, by Flask's test client, which costs no more than a server would.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from flask import Flask
from flask.testing import FlaskClient

from bench.installation import COORDINATOR, installation
from bench.many import fill, middle
from scheduler import access
from scheduler.web import create_app

SIZES = (1_000, 100_000)
REPEATS = 60
MOST_RATIO = 1.5


@dataclass(frozen=True)
class Page:
    name: str
    path: str
    most_ms: float


def main() -> int:
    found: dict[str, list[float]] = {}
    missed = 0
    print(f"{'page':>18} {'meetings':>9} {'median ms':>10} {'target':>7} {'ceiling':>8} {'to 1,000':>9} {'target':>7}")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            for page, taken, ceiling in _measure(Path(folder), size):
                found.setdefault(page.name, []).append(taken)
                ratio = taken / found[page.name][0]
                bad = taken > page.most_ms or ratio > MOST_RATIO
                missed += bad
                print(f"{page.name:>18} {size:>9,} {taken:>10.2f} {page.most_ms:>7.0f} {ceiling:>8.2f} {ratio:>9.2f}"
                      f" {MOST_RATIO:>7.1f}{'  MISSED' if bad else ''}")  # fmt: skip
    return int(missed > 0)


def _measure(folder: Path, size: int) -> Iterator[tuple[Page, float, float]]:
    desk = installation(folder)
    fill(desk, size)
    ident = middle(desk)
    pages = (
        Page("meeting", f"/meetings/{ident}", 8),
        Page("meeting, API", f"/api/v1/meetings/{ident}", 8),
        Page("agenda", "/", 20),
        Page("agenda, past", "/?show=past", 20),
        Page("agenda of a field", "/?field=economy", 20),
        Page("list, API", "/api/v1/meetings", 20),
    )
    _, token = access.new_api_token(desk, COORDINATOR)
    cookie = access.sign_in(desk, access.new_sign_in_link(desk, COORDINATOR).rpartition("/")[2])
    client = create_app(desk=desk).test_client()
    client.set_cookie("sid", cookie, domain="127.0.0.1")
    bare = Flask("bare")
    bare.add_url_rule("/", view_func=lambda: "Hello")
    base = desk.settings.server.base_url
    asks: list[Callable[[], None]] = [_asker(client, page.path, base, token) for page in pages]
    asks.append(_asker(bare.test_client(), "/", base, token))
    taken: list[list[float]] = [[] for _ in asks]
    for number in range(REPEATS + 5):
        for ask, times in zip(asks, taken, strict=True):
            since = time.perf_counter()
            ask()
            times += [1000 * (time.perf_counter() - since)] if number >= 5 else []  # the first warm up
    ceiling = median(taken[-1])
    desk.store.close()
    yield from ((page, median(times), ceiling) for page, times in zip(pages, taken, strict=False))


def _asker(client: FlaskClient, path: str, base_url: str, token: str) -> Callable[[], None]:
    head = {"Authorization": f"Bearer {token}"}

    def ask() -> None:
        answer = client.get(path, base_url=base_url, headers=head)
        assert answer.status_code == 200, answer.status

    return ask


if __name__ == "__main__":
    sys.exit(main())
