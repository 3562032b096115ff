"""The command line: what it prints, its exit status, and that a fault is one line on standard error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler import calendars
from scheduler.calendars import New
from scheduler.cli import main
from scheduler.config import load
from scheduler.db import directory
from scheduler.desk import Desk
from tests.mail.test_smtp import AUTH, Sink, smtp_server

Run = Callable[..., tuple[int, str, str]]
COORDINATOR = "international@gwangjin.example"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text('[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meetings@gwangjin.example"\n', "utf-8")
    return file


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: object) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        capsys.readouterr()
        try:
            status = main(["--config", str(config), *map(str, arguments)])
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return command


@pytest.fixture
def ready(run: Run) -> Run:
    assert run("init", "--example")[0] == 0
    return run


def fault(result: tuple[int, str, str]) -> str:
    status, output, error = result
    assert (status, output) == (1, "")
    assert error.count("\n") == 1
    assert error.startswith("scheduler: ")
    return error


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["slots"],
        ["slots", "--cities", "eregli", "--from", "soon", "--to", "2027-03-09", "--duration", "60"],
        ["slots", "--cities", "eregli", "--from", "2027-03-09", "--to", "2027-03-09", "--duration", "-1"],
        ["export"],
        ["export", "--all", "--city", "eregli"],
        ["serve", "--port", "http"],
        [
            "people",
            "add",
            "--name",
            "A",
            "--email",
            "a@b.example",
            "--city",
            "c",
            "--language",
            "de",
            "--role",
            "contact",
        ],
        ["token", "revoke", "x"],
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: list[str]) -> None:
    status, output, error = run(*arguments)
    assert (status, output) == (2, "")
    assert "usage:" in error


def test_without_a_database_init_is_named(run: Run) -> None:
    assert "init" in fault(run("cities", "list"))


def test_a_configuration_that_is_not_there_is_a_fault(run: Run, config: Path) -> None:
    config.unlink()
    assert "no such file" in fault(run("cities", "list"))


def test_all_faults_of_the_configuration_are_told(run: Run, config: Path) -> None:
    config.write_text('[server]\nbase_url = "ftp://x"\n[mail]\ncolour = 1\n', "utf-8")
    told = fault(run("cities", "list"))
    assert "server.base_url" in told
    assert "mail.colour" in told


def test_the_environment_beats_the_file(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_SERVER__BASE_URL", "https://meet.gwangjin.example")
    assert "https://meet.gwangjin.example/" in ready("sign-in", "--person", COORDINATOR)[1]


def test_init_makes_a_key_for_its_owner_only_and_can_be_repeated(ready: Run, config: Path) -> None:
    key = config.with_name("secret.key")
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes(), ready("people", "list")[1]
    assert ready("init", "--example")[0] == 0
    assert (key.read_bytes(), ready("people", "list")[1]) == before


def test_a_database_that_is_none_is_a_fault(ready: Run, config: Path) -> None:
    for path in config.parent.glob("scheduler.db*"):
        path.write_bytes(b"nothing of the kind " * 100)
    fault(ready("cities", "list"))


def test_a_token_is_the_last_word_and_can_be_revoked(ready: Run) -> None:
    status, output, _ = ready("token", "add", "--person", COORDINATOR)
    token = output.split()[-1]
    assert status == 0
    assert re.fullmatch("[a-z2-7]{50,}", token)
    listed = ready("token", "list")[1]
    assert COORDINATOR in listed
    assert token not in listed
    assert ready("token", "revoke", listed.split()[0])[0] == 0
    assert "revoked" in ready("token", "list")[1]
    fault(ready("token", "revoke", 99))


def test_a_sign_in_link_is_the_last_word(ready: Run) -> None:
    assert ready("sign-in", "--person", COORDINATOR)[1].split()[-1].startswith("http://127.0.0.1:8000/sign-in/")
    for email in ("nobody@gwangjin.example", "urban@gwangjin.example"):  # unknown; a contact does not sign in
        fault(ready("sign-in", "--person", email))


def test_people_are_added_listed_and_disabled(ready: Run) -> None:
    add = ["people", "add", "--name", "Water desk", "--city", "gwangjin", "--language", "ko", "--role", "coordinator"]
    assert ready(*add, "--email", "water@gwangjin.example")[0] == 0
    assert "/email" in fault(ready(*add, "--email", "WATER@gwangjin.example"))
    assert ready("people", "disable", "--email", "water@gwangjin.example", "--hand-over-to", COORDINATOR)[0] == 0
    assert "water@gwangjin.example  coordinator  gwangjin  ko  Water desk  (disabled)" in ready("people", "list")[1]
    people = json.loads(ready("people", "list", "--json")[1])
    assert {"name", "email", "city", "language", "role"} <= set(people[0])


def test_cities_and_rooms_are_added(ready: Run, tmp_path: Path) -> None:
    add = ["cities", "add", "--name", 'Konya "Selçuklu"', "--country", "TR", "--language", "tr"]
    assert ready(*add, "--slug", "konya", "--zone", "Europe/Istanbul", "--hours", "08:00-12:00,13:00-17:00")[0] == 0
    told = fault(ready(*add, "--slug", "Kon ya", "--zone", "Europe/Nowhere"))
    assert "/zone" in told
    stretched = [*add, "--slug", "lima", "--zone", "America/Lima", "--stretch", "07:00-22:00", "--weight", 2]
    assert ready(*stretched, "--notice-hours", 48)[0] == 0
    assert "/cities/lima/stretch/mon/0" in fault(ready(*stretched, "--stretch", "05:00-09:00"))
    lima = next(c for c in json.loads(ready("cities", "list", "--json")[1]) if c["slug"] == "lima")
    assert (lima["stretch"][4], lima["stretch"][5]) == ([["07:00", "22:00"]], [])
    assert (lima["weight"], lima["notice_hours"], lima["buffer_minutes"], lima["seasons"]) == (2, 48, 0, [])
    assert ready("rooms", "add", "--city", "konya", "--code", "konya-video", "--name", "Oda")[0] == 0
    konya = next(c for c in json.loads(ready("cities", "list", "--json")[1]) if c["slug"] == "konya")
    assert (konya["name"], konya["hours"][0]) == ('Konya "Selçuklu"', [["08:00", "12:00"], ["13:00", "17:00"]])
    file = tmp_path / "more.toml"
    file.write_text(
        '[cities.busan]\nname = "Busan"\nzone = "Asia/Seoul"\ncountry = "KR"\nlanguage = "ko"\n'
        '[cities.busan.hours]\nmon = ["09:00-18:00"]\n',
        "utf-8",
    )
    assert ready("cities", "import", file)[0] == 0
    assert "busan  Asia/Seoul" in ready("cities", "list")[1]
    fault(ready("cities", "import", tmp_path / "none.toml"))


def test_slots_are_printed_for_people_and_for_programs(ready: Run) -> None:
    asked = ["--cities", "gwangjin,ulaanbaatar,eregli", "--from", "2027-03-15", "--to", "2027-03-16", "--duration", 60]
    body = json.loads(ready("slots", *asked, "--limit", 2, "--json")[1])
    assert [s["start"] for s in body["slots"]] == ["2027-03-15T05:30:00Z", "2027-03-16T05:30:00Z"]
    assert set(body) == {"slots", "total", "excluded", "compromises", "unknown", "data"}
    assert "gwangjin 2027-03-15 14:30  ulaanbaatar 2027-03-15 13:30" in ready("slots", *asked)[1]
    longer = ready("slots", *asked[:-1], 225, "--limit", 1)[1].splitlines()  # fifteen minutes more than all have
    assert "hours gwangjin 30: 4 slots from 2027-03-15T05:30:00Z" in longer
    assert "shorter 210: 2 slots from 2027-03-15T05:30:00Z" in longer
    assert "/cities/0" in fault(ready("slots", *asked, "--cities", "atlantis"))


def test_slots_tell_whose_hours_nobody_knows(ready: Run, config: Path) -> None:
    desk = Desk.open(load(config))
    with desk.store.read() as db:
        me = directory.person_by_email(db, COORDINATOR)
    assert me is not None
    for city in ("", "gwangjin"):
        calendars.add(desk, me, New("", city=city, address="https://calendar.example/x.ics"))
    desk.store.close()
    asked = ["--cities", "gwangjin", "--from", "2027-03-15", "--to", "2027-03-15", "--duration", 60]
    assert ready("slots", *asked, "--people", COORDINATOR)[1].splitlines()[-2:] == [
        f"unknown  gwangjin  {COORDINATOR}  calendar never read, may be busy",
        "unknown  gwangjin  -  calendar never read, may be busy",
    ]


def test_exports_go_to_standard_output_or_a_file(ready: Run, tmp_path: Path) -> None:
    status, output, _ = ready("export", "--all")
    assert status == 0
    assert "METHOD:PUBLISH" in output
    file = tmp_path / "city.ics"
    assert ready("export", "--city", "eregli", "-o", file)[:2] == (0, "")
    assert b"BEGIN:VCALENDAR" in file.read_bytes()
    fault(ready("export", "--meeting", 7))
    fault(ready("export", "--city", "atlantis"))
    fault(ready("export", "--all", "-o", tmp_path / "none" / "x.ics"))


def test_mail_is_received_one_line_of_json_for_each(ready: Run, tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"From: a@eregli.example\r\nTo: meetings@gwangjin.example\r\nSubject: Hello\r\n\r\nText\r\n")
    status, output, error = ready("receive", mail, tmp_path / "none.eml", mail)
    lines = [json.loads(line) for line in output.splitlines()]
    assert (status, len(lines)) == (1, 2)
    assert "none.eml" in error
    assert all(set(line) == {"outcome", "meeting", "person", "status", "reason"} for line in lines)
    assert ready("receive", mail)[0] == 0


def test_check_has_a_clear_line_for_each_part(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    status, output, _ = ready("check")
    assert (status, [line.split(":")[0] for line in output.splitlines()]) == (
        0,
        ["ok    configuration", "ok    database", "ok    mail server", "ok    mailbox"],
    )
    monkeypatch.setenv("SCHEDULER_MAIL__SMTP_URL", "smtp://user:secret@127.0.0.1:1")
    status, output, _ = ready("check")
    assert status == 1
    assert "FAULT mail server" in output
    assert "secret" not in output


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
def test_check_signs_in_to_the_mail_server_and_sends_nothing(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink()
    with smtp_server(sink, **AUTH) as port:
        monkeypatch.setenv("SCHEDULER_MAIL__SMTP_URL", f"smtp://office:right@127.0.0.1:{port}")
        status, output, _ = ready("check")
        assert (status, f"ok    mail server: 127.0.0.1:{port}, signed in as office" in output) == (0, True)
        monkeypatch.setenv("SCHEDULER_MAIL__SMTP_URL", f"smtp://office:wrong@127.0.0.1:{port}")
        status, output, _ = ready("check")
        assert (status, "FAULT mail server" in output, "535" in output, "wrong" in output) == (1, True, True, False)
    assert sink.arrived == []
