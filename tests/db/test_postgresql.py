"""PostgreSQL: connections that break anywhere, a server that is restarted, and what its faults are told as."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.exc import IntegrityError

from scheduler import booking
from scheduler.booking import RequestKey
from scheduler.config import Database
from scheduler.core.errors import Busy
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.web import create_app
from tests import postgres
from tests.databases import Postgresql
from tests.house import BAT, House

pytestmark = pytest.mark.only_on("postgresql")
ROOM = "gwangjin-video"
KEY = RequestKey("k", "digest")
MANY = 100  # more statements than a booking has
COMMIT = b"COMMIT\0"  # the statement as well as the server's word that it is done


def book(house: House) -> booking.Booked:
    draft = house.draft(room=ROOM, people=(BAT,))
    return booking.create(house.desk, house.person(), draft, KEY, lambda made, _: str(made.id).encode())


def counts(house: House) -> tuple[int, ...]:
    names = ("meetings", "bookings", "invitations", "outbox", "requests")
    with house.desk.store.read() as db:
        return tuple(db.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in names)


NOTHING, WHOLE = (0, 0, 0, 0, 0), (1, 1, 2, 2, 1)


# --- connections that break


@contextmanager
def ended_at(store: Store, number: int) -> Iterator[list[int]]:
    """The server ends the connection before the statement `number` that runs on it."""
    taken = [0]

    def end(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        taken[0] += 1
        if taken[0] == number:
            raw = connection.connection.driver_connection
            with Store(store.url).read() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({raw.info.backend_pid}, 5000)")

    event.listen(store.engine, "before_cursor_execute", end)
    try:
        yield taken
    finally:
        event.remove(store.engine, "before_cursor_execute", end)


def test_a_connection_that_ends_at_any_statement_leaves_all_or_nothing(house: House) -> None:
    """J08, I05: the caller hears that the database is away; the same request again makes it one meeting."""
    for number in range(1, MANY):
        with ended_at(house.desk.store, number) as taken:
            said = attempt(house)
        assert said in ("booked", "database-away")
        if said == "booked":
            break
        assert taken[0] == number
        assert counts(house) == NOTHING, number
    assert number > 10
    assert counts(house) == WHOLE
    assert book(house).replayed


def attempt(house: House) -> str:
    try:
        book(house)
    except Busy as busy:
        return busy.key
    return "booked"


class Line:
    """A line to the server that breaks at a commit: before the server has the word, or before we have its answer."""

    def __init__(self, to: Path, loses: str) -> None:
        self.to, self.loses, self.broken = to, loses, False
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        self.door.close()

    def _serve(self) -> None:
        """One connection after the other; the one that says nothing ends it."""
        told = True
        while told:
            near, _ = self.door.accept()
            with near, socket.socket(socket.AF_UNIX) as far:
                far.connect(str(self.to / ".s.PGSQL.5432"))
                told = self._carry(near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> bool:
        said = False
        while True:
            for one in select.select([near, far], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return said
                said = True
                if one is near and COMMIT in data and not self.broken:
                    self.broken = True
                    if self.loses == "the answer":
                        far.sendall(data)
                        _read_until(far, COMMIT)
                    return True
                (far if one is near else near).sendall(data)


def _read_until(far: socket.socket, word: bytes) -> None:
    data = b""
    while word not in data:
        data += far.recv(65536)


@pytest.mark.parametrize("loses", ["the word", "the answer"])
def test_a_commit_of_which_nobody_knows_is_found_by_its_key(house: House, databases: Postgresql, loses: str) -> None:
    """I05."""
    line = Line(databases.server.socket, loses)
    name = make_url(house.desk.settings.database.url).database
    store = Store(f"postgresql://postgres@127.0.0.1:{line.port}/{name}")
    far = House(replace(house.desk, store=store), house.clock)
    with pytest.raises(Busy) as told:
        book(far)
    assert told.value.key == "database-away"
    assert counts(house) == (NOTHING if loses == "the word" else WHOLE)
    again = book(far)
    assert again.replayed == (loses == "the answer")
    assert counts(house) == WHOLE
    assert again.answer == str(again.meeting.id).encode()
    store.close()
    line.close()


# --- a server that is restarted


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Postgresql]:
    with postgres.started() as server, closing(Postgresql(server, tmp_path)) as databases:
        yield databases


def test_a_restart_is_told_on_a_page_and_over_when_the_server_is_back(
    house: House, own: Postgresql, tmp_path: Path
) -> None:
    """J08: no connection from before the restart is used after it."""
    url = own.example(tmp_path)
    settings = house.desk.settings.model_copy(update={"database": Database(url=url)})
    here = House(replace(house.desk, settings=settings, store=Store(url)), house.clock)
    app = create_app(desk=here.desk)

    def status(path: str) -> int:
        return app.test_client().get(path, base_url=settings.server.base_url).status_code

    meeting = here.book(room=ROOM)
    own.server.stop()
    assert status("/health/ready") == 503
    assert status("/health/live") == 200
    assert status(f"/i/{'a' * 26}") == 503
    for act in (here.book, lambda: here.meeting(meeting.id)):
        with pytest.raises(Busy) as told:
            act()
        assert told.value.key == "database-away"
    own.server.start()
    assert here.meeting(meeting.id) == meeting
    here.book()
    assert status("/health/ready") == 200
    here.desk.store.close()


# --- what its faults are told as


@pytest.mark.parametrize(
    ("state", "key"),
    [
        ("53100", "database-full"),
        ("58030", "database-full"),
        ("25006", "database-full"),
        ("55P03", "database-busy"),
        ("40001", "database-busy"),
        ("40P01", "database-busy"),
        ("57P03", "database-away"),
        ("53300", "database-away"),
        ("08006", "database-away"),
    ],
)
def test_what_passes_or_an_operator_can_mend_is_no_failure_of_ours(house: House, state: str, key: str) -> None:
    """J06, J07, J08: and nothing of the transaction remains."""
    name = house.person().name

    def fail() -> None:
        with house.desk.store.write() as db:
            db.exec_driver_sql("UPDATE people SET name = 'x'")
            db.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")

    with pytest.raises(Busy) as told:
        fail()
    assert told.value.key == key
    assert house.person().name == name


def test_an_error_quotes_no_row(house: House) -> None:
    """L06."""
    with pytest.raises(IntegrityError) as told, house.desk.store.write() as db:
        db.execute(t.people.update().values(name="Somebody", email_key="same@city.example"))
    assert "uq_people_email_key" in str(told.value)
    assert "same@" not in str(told.value)


def test_other_errors_stay_what_they_are(house: House) -> None:
    with pytest.raises(Exception, match="no_such_table"), house.desk.store.write() as db:
        db.exec_driver_sql("SELECT * FROM no_such_table")


def test_readers_see_one_moment_and_wait_for_nobody(house: House) -> None:
    """K04."""
    meeting = house.book()
    with house.desk.store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM outbox").scalar() == 4
        booking.cancel(house.desk, house.person(), meeting.id)
        assert db.exec_driver_sql("SELECT count(*) FROM outbox").scalar() == 4
        assert db.exec_driver_sql("SELECT status FROM meetings").scalar() == "confirmed"
    assert house.meeting(meeting.id).status == "cancelled"


def test_writers_are_alone(house: House) -> None:
    """The one that comes second sees what the first one wrote."""
    order: list[str] = []

    def second() -> None:
        store = Store(house.desk.settings.database.url)
        with store.write() as db:
            order.append(str(db.exec_driver_sql("SELECT min(name) FROM people").scalar()))
        store.close()

    with house.desk.store.write() as db:
        thread = threading.Thread(target=second)
        thread.start()
        _until_somebody_waits(db)
        db.exec_driver_sql("UPDATE people SET name = 'x'")
        order.append("first")
    thread.join(30)
    assert order == ["first", "x"]


def _until_somebody_waits(db: Any) -> None:
    waiting: Callable[[], int] = lambda: db.exec_driver_sql(  # noqa: E731
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    ).scalar()
    while not waiting():
        pass
