"""Writers of one process wait for each other in order, and not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from scheduler.core.errors import Busy
from scheduler.db import engine
from tests.house import House


def test_a_writer_that_waits_too_long_for_another_thread_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    told: list[str] = []

    def write() -> None:
        try:
            with house.desk.store.write():
                told.append("wrote")
        except Busy as busy:
            told.append(busy.key)

    with house.desk.store.write():
        began = time.monotonic()
        _in_a_thread(write)
        assert time.monotonic() - began < 10  # the database alone waits for 15 seconds
    _in_a_thread(write)
    assert told == ["database-busy", "wrote"]


def test_a_write_that_fails_gives_its_turn_to_the_next(house: House) -> None:
    with pytest.raises(ZeroDivisionError), house.desk.store.write():
        raise ZeroDivisionError
    house.book()
    assert len(house.outbox()) == 4


def _in_a_thread(target: Callable[[], None]) -> None:
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
