"""J06, J07, J13: a full disk, a locked or badly kept database: a clear word, nothing half done, later it goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler import booking, cli, paths, tokens
from scheduler.core.errors import Busy
from scheduler.db import engine
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.house import BAT, House


def file_of(house: House) -> Path:
    return Path(house.desk.settings.database.url.removeprefix("sqlite:///"))


@contextmanager
def full(house: House) -> Iterator[None]:
    """No page more fits, in any connection, as on a full disk."""
    from sqlalchemy import event

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    event.listen(house.desk.store.engine, "checkout", limit)
    try:
        yield
    finally:
        event.remove(house.desk.store.engine, "checkout", limit)
        house.desk.store.engine.dispose()


@contextmanager
def locked(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody else writes, for longer than anybody waits."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    house.desk = Desk(house.desk.settings, engine.Store(house.desk.settings.database.url), house.desk.key, house.clock)
    other = engine.Store(house.desk.settings.database.url)
    with other.write():
        yield
    other.close()
    house.desk.store.close()


def refusal(house: House) -> str:
    try:
        house.book()
    except Busy as busy:
        return busy.key
    return ""


@pytest.mark.only_on("sqlite")
def test_on_a_full_disk_a_booking_is_refused_whole_and_works_again_later(house: House) -> None:
    """J06."""
    house.book()
    with full(house):
        refusals = [key for _ in range(40) if (key := refusal(house))]  # some still fit into pages that are there
        assert set(refusals) == {"database-full"}
        with house.desk.store.read() as db:
            (meetings,) = db.exec_driver_sql("SELECT count(*) FROM meetings").one()
        assert len(house.outbox()) == 4 * meetings
    house.book()


@pytest.mark.only_on("sqlite")
def test_a_full_disk_is_said_on_a_page_with_503(house: House) -> None:
    """J06."""
    link = tokens.derived(house.desk.key, tokens.LINK, house.invitation(house.book(), BAT))
    client, base = create_app(desk=house.desk).test_client(), house.desk.settings.server.base_url
    comment = "x" * 2000
    with full(house):
        for number in range(40):
            data = {"answer": "accepted", "comment": f"{number} {comment}"[:2000], "sequence": "0"}
            answer = client.post(f"/i/{link}/answer", base_url=base, data=data)
            if answer.status_code != 303:
                break
        assert answer.status_code == 503
        assert "<h1>" in answer.text
        assert client.get(f"/i/{link}", base_url=base).status_code == 200
    data = {"answer": "declined", "sequence": "0"}
    assert client.post(f"/i/{link}/answer", base_url=base, data=data).status_code == 303


def test_a_database_that_stays_locked_is_said_with_503_and_nothing_is_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J07."""
    meeting = house.book()
    with locked(house, monkeypatch):
        with pytest.raises(Busy):
            booking.cancel(house.desk, house.person(), meeting.id)
        base = house.desk.settings.server.base_url
        link = tokens.derived(house.desk.key, tokens.LINK, house.invitation(meeting, BAT))
        client = create_app(desk=house.desk).test_client()
        assert client.get(f"/i/{link}", base_url=base).status_code == 200
        data = {"answer": "accepted", "sequence": "0"}
        assert client.post(f"/i/{link}/answer", base_url=base, data=data).status_code == 503
        assert client.get("/health/ready", base_url=base).status_code == 200
    assert house.meeting(meeting.id).status == "confirmed"
    assert house.invitation(meeting, BAT).status == "waiting"


def readable_database(house: House) -> None:
    file_of(house).chmod(0o644)


def readable_key(house: House) -> None:
    house.desk.settings.server.secret_key_file.chmod(0o640)


def no_key(house: House) -> None:
    house.desk.settings.server.secret_key_file.unlink()


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("spoil", "said"), [(readable_database, "chmod 600"), (readable_key, "chmod 600"), (no_key, "scheduler init")]
)
def test_what_is_kept_badly_is_refused_with_one_clear_line(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[House], None], said: str
) -> None:
    """J13."""
    (tmp_path / "config.toml").write_text('[mail]\nsmtp_url = "mailbox:mail"\n')
    spoil(house)
    assert cli.main(["--config", str(tmp_path / "config.toml"), "people", "list"]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert said in told


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("command", [["worker"], ["serve", "--port", "1"]])
def test_nothing_starts_on_a_database_that_others_can_read(house: House, tmp_path: Path, command: list[str]) -> None:
    """J13."""
    (tmp_path / "config.toml").write_text('[mail]\nsmtp_url = "mailbox:mail"\n')
    readable_database(house)
    done = subprocess.run(
        [sys.executable, "-m", "scheduler", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent)}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "chmod 600" in done.stderr
