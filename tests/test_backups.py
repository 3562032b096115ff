"""Copies of the database: made while it is written, whole or not there; and their return, which repeats no mail."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler import access, admin, answers, backups, booking, cli, operation, password_sign_in, tokens, ways_in
from scheduler.backups import Report, Unusable
from scheduler.core.errors import Invalid, NotFound
from scheduler.core.meeting import Meeting
from scheduler.core.words import Wording
from scheduler.db.backup import GAP
from scheduler.db.copying import OF_THE_MOMENT
from scheduler.db.engine import Store
from scheduler.tokens import WeakKey
from tests import databases, post_office
from tests.house import BAT, KIM, START, House, calendar_of
from tests.passwords import owner
from tests.post_office import PostOffice


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office.opened(PostOffice()) as office:
        yield office


@pytest.fixture
def town(house: House, office: PostOffice) -> House:
    """A house whose mail goes to the post office."""
    house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
    return house


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "monday.db"


def copy(house: House, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    backups.backup(house.desk.settings, file)


def bring_back(house: House, file: Path) -> Report:
    house.clock.forward(minutes=1)
    return backups.restore(house.desk.settings, file, house.clock.time)


def lose_everything(house: House) -> None:
    """The machine burns down; the key was kept elsewhere."""
    databases.lose(house.desk.store)


def reopen(house: House) -> None:
    house.desk.store.close()
    house.desk = replace(house.desk, store=Store(house.desk.settings.database.url))


def send(house: House) -> None:
    house.clock.forward(minutes=1)
    house.send_all()


def move(house: House, meeting: Meeting, hours: int = 24) -> Meeting:
    house.clock.forward(minutes=1)
    start = house.meeting(meeting.id).start + timedelta(hours=hours)
    change = lambda draft: replace(draft, start=start, wall=None)  # noqa: E731
    return booking.edit(house.desk, house.person(), meeting.id, change)


def rows_of(path: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return sorted(database.execute(f"SELECT * FROM {table}"), key=repr)


def assert_nobody_got_anything_twice(office: PostOffice) -> None:
    ids = [arrival.message_id for arrival in office.arrived]
    assert len(ids) == len(set(ids))


# --- making a copy


def test_a_copy_holds_everything_and_only_its_owner_reads_it(house: House, file: Path) -> None:
    house.book(room="gwangjin-video")
    copy(house, file)
    copied = Store(f"sqlite:///{file}")
    passing = tuple(table.name for table in OF_THE_MOMENT)
    assert databases.contents(copied, without=passing) == databases.contents(house.desk.store, without=passing)
    copied.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [found.name for found in file.parent.iterdir()] == ["monday.db"]


def test_a_copy_never_replaces_a_file(house: House, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("precious")
    with pytest.raises(FileExistsError, match="not overwritten"):
        copy(house, file)
    assert file.read_text() == "precious"


def test_a_copy_that_fails_leaves_nothing(house: House, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scheduler.db.copying._copy_content", full)
    with pytest.raises(OSError, match="No space"):
        copy(house, file)
    assert list(file.parent.iterdir()) == []


def test_copies_made_while_others_write_are_each_of_one_moment(house: House, file: Path) -> None:
    """I17: a meeting without its mail, or mail without its meeting, is in none of them."""
    stop, faults = threading.Event(), []

    def write() -> None:
        desk = replace(house.desk, store=Store(house.desk.settings.database.url))
        writer = House(desk, house.clock)
        try:
            while not stop.is_set():
                writer.book()
        except Exception as error:
            faults.append(error)
        finally:
            desk.store.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(4):
            copy(house, file.with_name(f"{number}.db"))
    finally:
        stop.set()
        thread.join()
    assert faults == []
    for number in range(4):
        made = file.with_name(f"{number}.db")
        mails = [row[2] for row in rows_of(made, "outbox")]
        assert sorted(mails) == sorted([row[0] for row in rows_of(made, "meetings")] * 4)


# --- what was sent is not sent again


def test_what_was_sent_since_the_copy_is_not_sent_again(town: House, office: PostOffice, file: Path) -> None:
    meeting = town.book()
    copy(town, file)
    send(town)
    assert len(office.arrived) == 4
    report = bring_back(town, file)
    send(town)
    assert len(office.arrived) == 4
    assert (report.held, report.meetings, report.changed) == (0, 1, ())
    assert {row.state for row in town.outbox()} == {"handed-over"}
    assert town.meeting(meeting.id).start == START


def test_what_had_surely_not_left_is_sent_with_the_same_bytes(town: House, office: PostOffice, file: Path) -> None:
    town.book()
    stored = {row.message_id: row.sha256 for row in town.outbox()}
    copy(town, file)
    bring_back(town, file)
    send(town)
    assert {a.message_id: a.sha256 for a in office.arrived} == stored


def test_a_mail_that_was_being_sent_is_held(town: House, office: PostOffice, file: Path) -> None:
    from scheduler.db import outbox

    town.book()
    copy(town, file)
    with town.desk.store.write() as db:
        claimed = outbox.claim(db, town.clock.time, "worker")
    assert claimed
    assert bring_back(town, file).held == 1
    with town.desk.store.write() as db:
        assert not outbox.finish(db, claimed, "worker", "handed-over", "250 OK", town.clock.time)
    send(town)
    assert len(office.arrived) == 3
    assert [row.message_id for row in town.outbox(state="held")] not in [a.message_id for a in office.arrived]


def test_without_the_database_everything_that_waited_is_held(town: House, office: PostOffice, file: Path) -> None:
    town.book()
    access.ask_for_link(town.desk, town.person().email)
    copy(town, file)
    send(town)
    sent = {arrival.message_id: arrival.sha256 for arrival in office.arrived}
    lose_everything(town)
    report = bring_back(town, file)
    reopen(town)
    assert (report.held, report.kept) == (4, None)
    send(town)
    assert {arrival.message_id: arrival.sha256 for arrival in office.arrived} == sent
    assert [row.state for row in town.outbox(kind="sign-in")] == ["superseded"]


def test_the_operator_decides_about_what_is_held(town: House, office: PostOffice, file: Path) -> None:
    town.book()
    copy(town, file)
    lose_everything(town)
    bring_back(town, file)
    reopen(town)
    first, second, third, fourth = (x.id for x in operation.troubles(town.desk, None))
    assert operation.act(town.desk, None, "retry", [first, second]) == 2
    assert operation.act(town.desk, None, "sent", [third, 999]) == 1
    assert operation.act(town.desk, None, "drop", [fourth]) == 1
    send(town)
    states = {row.id: row.state for row in town.outbox()}
    assert states == {first: "handed-over", second: "handed-over", third: "handed-over", fourth: "dropped"}
    assert {a.sha256 for a in office.arrived} == {row.sha256 for row in town.outbox() if row.id in (first, second)}
    assert operation.troubles(town.desk, None) == []


def test_a_held_mail_that_a_newer_one_overtakes_is_never_sent(town: House, office: PostOffice, file: Path) -> None:
    meeting = town.book()
    copy(town, file)
    lose_everything(town)
    bring_back(town, file)
    reopen(town)
    move(town, meeting)
    assert operation.act(town.desk, None, "retry", [row.id for row in town.outbox()[:4]]) == 0
    send(town)
    assert len(office.arrived) == 4
    assert [row.state for row in town.outbox()[:4]] == ["superseded"] * 4


def test_an_unsent_mail_whose_successor_is_undone_goes_out_after_all(
    town: House, office: PostOffice, file: Path
) -> None:
    meeting = town.book()
    copy(town, file)
    move(town, meeting)  # supersedes the invitations before any has left
    report = bring_back(town, file)
    send(town)
    assert report.changed == (meeting.id,)
    assert b"DTSTART" in calendar_of(town.mails(BAT)[-1])
    assert len(office.about(BAT.email)) == 1
    assert town.meeting(meeting.id).start == START


# --- what comes next outranks what people have


def stamps(house: House, who: str) -> list[tuple[int, str]]:
    """SEQUENCE and DTSTAMP of a person's mails in the order in which they were made."""
    found = []
    for mail in house.mails(who):
        lines = dict(line.split(b":", 1) for line in calendar_of(mail).split(b"\r\n") if b":" in line)
        found.append((int(lines[b"SEQUENCE"]), lines[b"DTSTAMP"].decode()))
    return found


def test_the_next_mail_outranks_those_sent_since_the_copy(town: House, office: PostOffice, file: Path) -> None:
    meeting = town.book()
    send(town)
    copy(town, file)
    for _ in range(3):
        move(town, meeting)
        send(town)
    report = bring_back(town, file)
    assert report.changed == (meeting.id,)
    assert town.meeting(meeting.id).start == START
    send(town)
    assert len(office.about(BAT.email)) == 4
    town.clock.forward(minutes=1)
    booking.resend(town.desk, town.person(), meeting.id, town.invitation(meeting, BAT).id)
    send(town)
    last = office.about(BAT.email)[-1]
    assert town.outbox(message_id=last.message_id)[0].kind == "moved"  # told against the last mail they got
    known = stamps(town, BAT.email)
    assert known == sorted(set(known))
    assert [sequence for sequence, _ in known] == sorted({sequence for sequence, _ in known})


def test_answers_to_a_time_that_was_undone_do_not_count(town: House, file: Path) -> None:
    meeting = town.book()
    send(town)
    copy(town, file)
    move(town, meeting)
    send(town)
    answer = town.reply(meeting, BAT, "ACCEPTED")
    bring_back(town, file)
    assert town.receive(answer).outcome == "ignored-stale"
    assert town.invitation(meeting, BAT).status == "waiting"


def test_a_cancellation_that_was_undone_is_outranked(town: House, file: Path) -> None:
    meeting = town.book()
    send(town)
    copy(town, file)
    town.clock.forward(minutes=1)
    booking.cancel(town.desk, town.person(), meeting.id)
    send(town)
    bring_back(town, file)
    town.clock.forward(minutes=1)
    booking.resend(town.desk, town.person(), meeting.id, town.invitation(meeting, BAT).id)
    assert b"METHOD:REQUEST" in calendar_of(town.mails(BAT)[-1])
    assert stamps(town, BAT.email)[-1][0] > stamps(town, BAT.email)[-2][0]


def test_where_nobody_knows_how_far_it_went_sequence_jumps(town: House, file: Path) -> None:
    meeting = town.book()
    send(town)
    copy(town, file)
    move(town, meeting)
    send(town)
    lose_everything(town)
    bring_back(town, file)
    reopen(town)
    town.clock.forward(minutes=1)
    booking.resend(town.desk, town.person(), meeting.id, town.invitation(meeting, BAT).id)
    assert stamps(town, BAT.email)[-1][0] == GAP
    assert town.receive(town.reply(meeting, BAT, "ACCEPTED")).outcome == "accepted"


def test_meetings_made_since_are_told_to_the_operator(town: House, file: Path) -> None:
    copy(town, file)
    meeting = town.book()
    send(town)
    report = bring_back(town, file)
    assert (report.unknown, report.meetings) == ((meeting.id,), 0)
    assert report.kept
    assert rows_of(report.kept, "meetings")[0][0] == meeting.id


# --- access


def test_tokens_still_work_and_sessions_end(town: House, file: Path) -> None:
    """I17."""
    meeting = town.book()
    invitation = town.invitation(meeting, BAT)
    _, bearer = access.new_api_token(town.desk, town.person().email)
    cookie = access.sign_in(town.desk, access.new_sign_in_link(town.desk, town.person().email).rpartition("/")[2])
    unused = access.new_sign_in_link(town.desk, town.person().email).rpartition("/")[2]
    copy(town, file)
    lose_everything(town)
    bring_back(town, file)
    reopen(town)
    link = tokens.derived(town.desk.key, tokens.LINK, invitation)
    assert answers.open_invitation(town.desk, link).invitation.id == invitation.id
    assert access.caller_of_bearer(town.desk, bearer).person == town.person()
    assert access.person_of_cookie(town.desk, cookie) is None
    with pytest.raises(NotFound):
        access.sign_in(town.desk, unused)
    assert town.receive(town.reply(meeting, KIM, "ACCEPTED")).outcome == "accepted"


@pytest.mark.parametrize("since", ["nothing", "changed", "removed", "lost"])
def test_no_password_comes_back_to_life(house: House, file: Path, since: str) -> None:
    """Whatever happened since: everybody signs in by a link and sets up a password anew; a used code stays used."""
    mine = owner(house)
    half = mine.half()
    copy(house, file)
    if since == "changed":
        ways_in.choose_password(house.desk, mine.person, mine.session, "seventeen quiet lanterns")
    elif since == "removed":
        ways_in.remove(house.desk, mine.person, mine.session)
    elif since == "lost":
        lose_everything(house)
    bring_back(house, file)
    reopen(house)
    with pytest.raises(Invalid):
        mine.half()
    with pytest.raises(NotFound):
        password_sign_in.finish(house.desk, half, mine.codes[0])
    assert ways_in.of_person(house.desk, mine.person) == ways_in.WaysIn(None, 0)
    again = owner(house)
    assert again.sign_in()


def test_what_was_revoked_or_disabled_since_stays_so(town: House, file: Path) -> None:
    person, heir = town.person(), town.person(role="operator")
    number, bearer = access.new_api_token(town.desk, person.email)
    _, other = access.new_api_token(town.desk, person.email)
    copy(town, file)
    access.revoke_api_token(town.desk, number)
    bring_back(town, file)
    assert access.caller_of_bearer(town.desk, bearer) is None
    assert access.caller_of_bearer(town.desk, other).person == person
    admin.disable_person(town.desk, person.email, heir.email)
    bring_back(town, file)
    assert access.caller_of_bearer(town.desk, other) is None


# --- what is refused


def damaged(house: House, file: Path) -> None:
    copy(house, file)
    content = bytearray(file.read_bytes())
    content[8192:60000] = b"\x55" * (60000 - 8192)
    file.write_bytes(content)


def of_a_newer_version(house: House, file: Path) -> None:
    copy(house, file)
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


def of_something_else(house: House, file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE x (y)")


def no_database(house: House, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("hello")


def empty_file(house: House, file: Path) -> None:
    file.parent.mkdir()
    file.touch()


def of_another_key(house: House, file: Path) -> None:
    copy(house, file)
    key = house.desk.settings.server.secret_key_file
    key.unlink()
    tokens.make_key(key)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (damaged, "damaged|malformed"),
        (of_a_newer_version, "newer version"),
        (of_something_else, "no copy"),
        (no_database, "not a database"),
        (empty_file, "no copy"),
        (of_another_key, "another secret key"),
    ],
)
def test_what_cannot_be_restored_changes_nothing(
    house: House, file: Path, make: Callable[[House, Path], None], said: str
) -> None:
    meeting = house.book()
    make(house, file)
    before = house.outbox()
    with pytest.raises(Unusable, match=said):
        bring_back(house, file)
    assert house.outbox() == before
    assert house.meeting(meeting.id).sequence == 0


@pytest.mark.only_on("sqlite")
def test_the_database_in_use_is_no_copy_of_itself(house: House, file: Path) -> None:
    file.parent.mkdir()
    file.symlink_to(house.desk.settings.database.url.removeprefix("sqlite:///"))
    with pytest.raises(Unusable, match="in use"):
        bring_back(house, file)


def test_without_the_key_nothing_is_restored(house: House, file: Path) -> None:
    copy(house, file)
    house.desk.settings.server.secret_key_file.unlink()
    with pytest.raises(WeakKey):
        bring_back(house, file)


@pytest.mark.only_on("sqlite")
def test_a_damaged_database_is_told_to_be_moved_away(house: House, file: Path) -> None:
    copy(house, file)
    house.desk.store.close()
    live = Path(house.desk.settings.database.url.removeprefix("sqlite:///"))
    live.write_bytes(b"\x00" * 50_000)
    with pytest.raises(Unusable, match="move it away"):
        bring_back(house, file)


def test_a_fault_in_between_leaves_the_database_as_it_was(
    house: House, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy(house, file)
    meeting = house.book(title=Wording.of("Since"))
    before = house.outbox()

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("scheduler.db.backup._outrank", fail)
    with pytest.raises(RuntimeError):
        bring_back(house, file)
    assert house.outbox() == before
    assert house.meeting(meeting.id).title.read_in("en") == "Since"


# --- the commands


def test_the_commands(house: House, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[database]\nurl = "{house.desk.settings.database.url}"\n'
        '[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meet@cities.example"\n',
        "utf-8",
    )
    file.parent.mkdir()
    house.book()

    def run(*arguments: object) -> int:
        return cli.main(["--config", str(config), *map(str, arguments)])

    assert run("backup", file) == 0
    assert run("backup", file) == 1
    assert "not overwritten" in capsys.readouterr().err
    lose_everything(house)
    assert run("restore", file) == 0
    assert "held" in capsys.readouterr().out
    assert run("outbox", "list", "--json") == 0
    assert '"state": "held"' in capsys.readouterr().out
    assert run("outbox", "sent", "1") == 0
    assert run("outbox", "sent", "1") == 1
    assert run("outbox", "retry", "--held") == 0
    reopen(house)
    send(house)
    assert {row.state for row in house.outbox()} == {"handed-over"}
    shutil.rmtree(file.parent)
    assert run("restore", file) == 1
