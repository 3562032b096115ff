"""Finished calendars kept in memory, so that the same bytes are not joined for every reader.

Only the newest edition of each is kept, and no more than fits: what was not asked for longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

LIMIT = 64_000_000  # bytes, in each process


class Shelf:
    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[Hashable, tuple[str, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, place: Hashable, edition: str) -> bytes | None:
        with self._lock:
            kept = self._kept.get(place)
            if kept is None or kept[0] != edition:
                return None
            self._kept.move_to_end(place)
            return kept[1]

    def put(self, place: Hashable, edition: str, content: bytes) -> None:
        """A single thing larger than the limit is not kept at all."""
        with self._lock:
            self._take(place)
            self._kept[place] = (edition, content)
            self._size += len(content)
            while self._size > self._limit:
                self._take(next(iter(self._kept)))

    def _take(self, place: Hashable) -> None:
        old = self._kept.pop(place, None)
        self._size -= len(old[1]) if old else 0
