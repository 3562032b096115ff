"""J06, J07, J13: a full disk, a locked or badly kept database: a clear word, nothing half done, later it goes on."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler import booking, cli, logs, paths, tokens
from scheduler.core.errors import Busy
from scheduler.db import engine
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.polling import Poller
from scheduler.web import create_app
from scheduler.worker import Worker
from tests import databases, letter_box, post_office, shaky_imap
from tests.house import BAT, NOW, House
from tests.post_office import PostOffice
from tests.shaky_imap import Shaky


def file_of(house: House) -> Path:
    file = house.desk.settings.database.file
    assert file
    return file


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
    with databases.full_disk():
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
    with databases.full_disk():
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


@pytest.mark.only_on("sqlite")
def test_a_worker_on_a_full_disk_loses_no_mail_and_sends_all_later(house: House) -> None:
    """J06: it cannot even note that it has a mail in its hands, so it hands none over."""
    with post_office.opened(PostOffice()) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        for _ in range(3):
            house.book()
        _fill(house)
        with databases.full_disk(), suppress(Busy):
            Worker(house.desk, threading.Event()).once()
        house.clock.forward(minutes=6)
        assert Worker(house.desk, threading.Event()).once()
        stored = {row.message_id: row.sha256 for row in house.outbox()}
        assert {row.state for row in house.outbox()} == {"handed-over"}
        assert {a.message_id: a.sha256 for a in office.arrived} == stored


@pytest.mark.only_on("sqlite")
def test_a_poller_on_a_full_disk_takes_the_mail_later(house: House) -> None:
    """J06: nothing is marked as seen that is not stored."""
    with shaky_imap.opened(Shaky()) as shaky:
        house.desk = replace(house.desk, settings=letter_box.polling(house.desk.settings, shaky.port))
        meeting = house.book()
        raw = house.reply(meeting, BAT, "ACCEPTED", headers=f"X-Long: {'x' * 60_000}\r\n")
        shaky.put(raw)
        _fill(house)
        with databases.full_disk(), suppress(Busy):
            Poller(house.desk, threading.Event()).once()
        assert shaky.seen() == []
        house.clock.forward(minutes=6)
        assert Poller(house.desk, threading.Event()).once()
        assert shaky.seen() == [1]
    assert house.invitation(meeting, BAT).status == "accepted"
    assert len(house.outbox(kind="notice-answered")) == 1


def _fill(house: House) -> None:
    """Leaves no room in the pages that are there."""
    with databases.full_disk():
        for size in (3_000, 300, 30):
            with suppress(Busy):
                for number in range(1_000):
                    with house.desk.store.write() as db:
                        key = f"{size}-{number}".ljust(size, "x")
                        db.execute(t.counters.insert().values(key=key, since=NOW, until=NOW, hits=1))


def test_a_full_disk_under_the_folder_of_mail_keeps_the_mail(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """J06."""

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    house.book()
    with monkeypatch.context() as patch:
        patch.setattr("scheduler.mail.smtp.os.fsync", no_space)
        assert not Worker(house.desk, threading.Event()).once()
    assert {row.state for row in house.outbox()} == {"queued"}
    house.clock.forward(minutes=2)
    assert Worker(house.desk, threading.Event()).once()
    assert {row.state for row in house.outbox()} == {"handed-over"}


def test_a_log_that_cannot_be_written_stops_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """J06: standard error is a file on the full disk."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    handler = logging.StreamHandler(Full())
    handler.setFormatter(logs.JsonLines())
    monkeypatch.setattr("sys.stderr", Full())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    caplog.set_level(logging.INFO)
    base = house.desk.settings.server.base_url
    assert create_app(desk=house.desk).test_client().get("/sign-in", base_url=base).status_code == 200
    house.book()
    assert Worker(house.desk, threading.Event()).once()


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
