"""B11, B12: what a new installation lets in, and with what it does not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler import access, config, installation, tokens
from scheduler.cli import main
from scheduler.config import ConfigurationError, Database, Mail, Server, Settings
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.databases import Databases

from .conftest import BASE, Browser


@pytest.fixture
def settings(tmp_path: Path, databases: Databases) -> Settings:
    return Settings(
        server=Server(secret_key_file=tmp_path / "secret.key"),
        database=Database(url=databases.empty(tmp_path)),
        mail=Mail(smtp_url=f"mailbox:{tmp_path / 'mail'}", from_address="meet@cities.example"),
    )


@pytest.fixture
def fresh(settings: Settings) -> Desk:
    return installation.prepare(settings)


def test_there_is_nobody_and_no_password(fresh: Desk) -> None:
    """B11."""
    with fresh.store.read() as db:
        for table in (t.people, t.passwords, t.api_tokens, t.web_sessions, t.sign_in_links):
            assert not db.execute(table.select()).all()
    browser = Browser(create_app(desk=fresh))
    for email in ("admin@example.org", "operator@gwangjin.example", "root@localhost.localdomain"):
        assert browser.post("/sign-in", {"email": email}).status_code == 200
        for password in ("", "admin", "password", "changeme"):
            answer = browser.post("/sign-in/password", {"email": email, "password": password})
            assert answer.status_code in (422, 429)
    with fresh.store.read() as db:
        assert not db.execute(t.outbox.select()).all()


@pytest.fixture
def here(tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, in which commands find an empty database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEDULER_DATABASE__URL", databases.empty(tmp_path))


@pytest.mark.usefixtures("here")
def test_nobody_of_the_examples_has_a_password_or_a_link() -> None:
    """B11."""
    assert main(["init", "--example"]) == 0
    desk = Desk.open(config.load())
    with desk.store.read() as db:
        assert db.execute(t.people.select()).all()
        for table in (t.passwords, t.api_tokens, t.web_sessions, t.sign_in_links):
            assert not db.execute(table.select()).all()


@pytest.mark.usefixtures("here")
def test_the_first_operator_comes_in_by_a_link_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """B11."""
    assert main(["init"]) == 0
    city = ["--slug", "erdenet", "--name", "Erdenet", "--zone", "Asia/Ulaanbaatar", "--country", "MN"]
    assert main(["cities", "add", *city, "--language", "mn"]) == 0
    desk = ["--name", "IT Desk", "--email", "it@erdenet.example", "--city", "erdenet", "--language", "mn"]
    assert main(["people", "add", *desk, "--role", "operator"]) == 0
    capsys.readouterr()
    assert main(["sign-in", "--person", "it@erdenet.example"]) == 0
    path = capsys.readouterr().out.split()[-1].removeprefix(BASE)
    browser = Browser(create_app())
    browser.get(path)
    assert browser.post(path).status_code == 303
    assert browser.get("/operation").status_code == 200
    assert browser.post(path).status_code == 404


@pytest.mark.parametrize("key", ["", "dev", "secret", "a" * 64, "0123" * 16])
def test_a_weak_key_stops_the_start(fresh: Desk, settings: Settings, key: str) -> None:
    """B12."""
    settings.server.secret_key_file.write_text(key, "ascii")
    with pytest.raises(tokens.WeakKey, match="too short or too simple"):
        create_app(settings)


def test_a_plain_address_in_the_network_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """B12."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text('[server]\nbase_url = "http://meet.city.example"\n')
    with pytest.raises(ConfigurationError, match="https"):
        create_app()
    assert main(["serve"]) == 1
    assert "must begin with https://" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["FLASK_DEBUG", "FLASK_ENV", "FLASK_TESTING", "FLASK_PROPAGATE_EXCEPTIONS"])
def test_the_environment_does_not_turn_debugging_on(
    fresh: Desk, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B12: a failure stays a page with an id, without a traceback."""
    monkeypatch.setenv(variable, "1")

    def fail(*_: object) -> None:
        raise RuntimeError("canary")

    app = create_app(desk=fresh)
    assert (app.debug, app.testing) == (False, False)
    monkeypatch.setattr(access, "person_of_link", fail)
    answer = app.test_client().get("/sign-in/x", base_url=BASE)
    assert answer.status_code == 500
    assert "canary" not in answer.text
