"""The configuration: defaults as the example file shows them, the order of its sources, and what it refuses."""

import os
import tomllib
from pathlib import Path

import pytest

from scheduler import config, paths
from scheduler.config import ConfigurationError, Settings

EXAMPLE = tomllib.loads(paths.CONFIG_EXAMPLE.read_text("utf-8"))


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours is set, and no config.toml lies in the current folder."""
    for name in list(os.environ):
        if name.upper().startswith("SCHEDULER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, "utf-8")
    return file


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        config.load(written(folder, text))
    return caught.value.faults


def test_the_example_file_shows_every_key_with_its_default() -> None:
    assert Settings().model_dump(mode="json") == EXAMPLE


def test_every_key_of_the_example_file_is_explained_or_plain() -> None:
    """Every section is there, in the order of the settings, and the file can be used as it is."""
    assert list(EXAMPLE) == list(Settings.model_fields)
    assert config.load(paths.CONFIG_EXAMPLE).limits == config.load().limits


def test_without_a_file_the_defaults_hold() -> None:
    settings = config.load()
    assert settings.server.base_url == "http://127.0.0.1:8000"
    assert settings.limits.people_per_meeting == 100


def test_a_file_in_the_current_folder_is_found(tmp_path: Path) -> None:
    written(tmp_path, '[mail]\nfrom_name = "Here"')
    assert config.load().mail.from_name == "Here"


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    file = written(tmp_path / "there", '[mail]\nfrom_name = "There"')
    written(tmp_path, '[mail]\nfrom_name = "Here"')
    monkeypatch.setenv("SCHEDULER_CONFIG", str(file))
    assert config.load().mail.from_name == "There"
    assert config.load(tmp_path / "config.toml").mail.from_name == "Here"


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[server]\nproxies = 1\n[mail]\nfrom_name = "File"\nfrom_address = "file@city.example"')
    monkeypatch.setenv("SCHEDULER_MAIL__FROM_NAME", "Environment")
    monkeypatch.setenv("SCHEDULER_SERVER__TRUSTED_HOSTS", '["meet.city.example"]')
    settings = config.load(file)
    assert (settings.mail.from_name, settings.mail.from_address) == ("Environment", "file@city.example")
    assert settings.server.hosts == ["127.0.0.1", "meet.city.example"]
    assert settings.server.proxies == 1


def test_an_argument_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_SERVER__PROXIES", "1")
    assert config.load(server={"proxies": 2}).server.proxies == 2


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = """
    [server]
    base_url = "http://meet.city.example"
    proxies = 9
    [mail]
    smtp_url = "smtp://mail.city.example"
    from_address = "meet+x@city.example"
    [limits]
    people_per_meeting = "many"
    [colours]
    background = "blue"
    """
    faults = faults_of(tmp_path, text)
    places = ["server.base_url", "server.proxies", "mail.smtp_url", "mail.from_address", "limits.people_per_meeting"]
    assert sorted(fault.partition(":")[0] for fault in faults) == sorted([*places, "colours"])


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("server", 'base_url = "http://meet.city.example"'),
        ("server", 'base_url = "meet.city.example"'),
        ("server", 'base_url = "ftp://127.0.0.1"'),
        ("server", 'base_url = "https://city.example/meet"'),
        ("server", 'base_url = "https://city.example/?a=1"'),
        ("server", "proxies = -1"),
        ("server", "debug = true"),
        ("database", 'url = "mysql://localhost/meetings"'),
        ("database", 'url = "postgresql://localhost"'),
        ("database", 'url = "postgresql://localhost:99999/meetings"'),
        ("database", 'url = "postgresql://user:password@db.city.example/meetings"'),
        ("database", 'url = "postgresql://user:password@db.city.example/meetings?sslmode=prefer"'),
        ("database", 'url = "postgresql:///meetings?host=db.city.example"'),
        ("database", 'url = "sqlite:///:memory:"'),
        ("mail", 'smtp_url = "smtp://mail.city.example:25"'),
        ("mail", 'smtp_url = "http://mail.city.example"'),
        ("mail", 'smtp_url = "mailbox:"'),
        ("mail", 'smtp_url = "smtps://"'),
        ("mail", 'from_address = "meetings"'),
        ("mail", 'from_address = "meet+ings@city.example"'),
        ("mail", 'from_address = "a@b.example, c@d.example"'),
        ("mail", 'from_address = "회의@city.example"'),
        ("inbox", 'imap_url = "imap://user:password@mail.city.example"'),
        ("inbox", 'imap_url = "https://user:password@mail.city.example"'),
        ("inbox", 'imap_url = "imaps://"'),
        ("inbox", 'imap_url = "imaps://mail.city.example/INBOX"'),
        ("inbox", 'imap_url = "imaps://user@mail.city.example/INBOX"'),
        ("inbox", 'imap_url = "imaps://user:pass#word@mail.city.example/INBOX"'),
        ("inbox", 'imap_url = "imaps://user:password@mail.city.example/INBOX?x"'),
        ("inbox", 'imap_url = "imaps://user:password@mail.city.example:99999/INBOX"'),
        ("inbox", 'imap_url = "imaps://us%0d%0aer:password@mail.city.example/INBOX"'),
        ("inbox", 'imap_url = "imaps://user:pass%00word@mail.city.example/INBOX"'),
        ("inbox", 'imap_url = "imaps://user:password@mail.city.example/IN%0ABOX"'),
        ("inbox", 'imap_url = "imaps://user:password@mail.city.example/%ff"'),
        ("inbox", "poll_seconds = 0"),
        ("video", 'provider = "jitsi"'),
        ("video", 'provider = "carrier-pigeon"'),
        ("limits", "people_per_meeting = 0"),
        ("limits", "mail_bytes = 1"),
        ("retention", "sign_in_link_minutes = 60"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(tmp_path: Path, section: str, line: str) -> None:
    (fault,) = faults_of(tmp_path, f"[{section}]\n{line}")
    assert fault.startswith(section)
    assert "Value error" not in fault


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("server", 'base_url = "https://meet.city.example"'),
        ("server", 'base_url = "https://meet.city.example:8443/"'),
        ("server", 'base_url = "http://localhost:8000"'),
        ("server", 'base_url = "http://[::1]:8000"'),
        ("mail", 'smtp_url = "smtp://127.0.0.1:2525"'),
        ("mail", 'smtp_url = "smtp+starttls://user:p%40ss@mail.city.example:587"'),
        ("mail", 'smtp_url = "smtps://mail.city.example"'),
        ("inbox", 'imap_url = "imaps://meet%40city.example:p%23ss@mail.city.example:9993/INBOX/Answers"'),
        ("inbox", 'imap_url = "imap://user:password@localhost"'),
        ("video", 'provider = "jitsi"\nbase_url = "https://meet.city.example"'),
    ],
)
def test_good_values_are_taken(tmp_path: Path, section: str, line: str) -> None:
    config.load(written(tmp_path, f"[{section}]\n{line}"))


def test_a_bad_value_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_SERVER__BASE_URL", "http://meet.city.example")
    with pytest.raises(ConfigurationError, match=r"server\.base_url: must begin with https://"):
        config.load()


def test_relative_paths_are_meant_from_the_folder_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    text = """
    [server]
    secret_key_file = "secret/key"
    [database]
    url = "sqlite:///data/meetings.db"
    [mail]
    smtp_url = "mailbox:mail"
    """
    settings = config.load(written(folder, text))
    assert settings.server.secret_key_file == folder / "secret/key"
    assert settings.database.url == f"sqlite:///{folder}/data/meetings.db"
    assert settings.mail.mailbox == folder / "mail"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    text = '[server]\nsecret_key_file = "/k"\n[database]\nurl = "sqlite:////d.db"\n[mail]\nsmtp_url = "mailbox:/m"\n'
    settings = config.load(written(tmp_path, text))
    assert settings.server.secret_key_file == Path("/k")
    assert settings.database.url == "sqlite:////d.db"
    assert settings.mail.mailbox == Path("/m")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://localhost/meetings",
        "postgresql://127.0.0.1:5433/meetings",
        "postgresql:///meetings?host=/run/postgresql",
        "postgresql://user:pass%40word@db.city.example/meetings?sslmode=verify-full",
    ],
)
def test_postgresql_is_reached_here_or_by_tls(tmp_path: Path, url: str) -> None:
    assert config.load(written(tmp_path, f'[database]\nurl = "{url}"\n')).database.url == url


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        config.load(tmp_path / "missing.toml")


def test_a_file_that_is_not_toml_is_told_with_its_name(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, "[server\n")
    assert "config.toml" in fault
    assert "line 1" in fault


def test_the_login_of_the_mail_server_is_decoded() -> None:
    mail = config.Mail(smtp_url="smtps://us%40er:p%40ss@mail.city.example")
    assert mail.smtp_login == ("us@er", "p@ss")
    assert config.Mail().smtp_login is None


def test_the_mailbox_is_read_from_its_address_and_never_shown_with_its_password() -> None:
    account = config.Inbox(imap_url="imaps://meet%40city.example:p%23%25s@mail.city.example/%ED%9A%8C%EC%9D%98").account
    assert account == config.Account("mail.city.example", 993, "meet@city.example", "p#%s", "회의", True)
    assert "p#" not in repr(account) + account.name
    plain = config.Inbox(imap_url="imap://u:p@127.0.0.1:1430").account
    assert plain == config.Account("127.0.0.1", 1430, "u", "p", "INBOX", False)
    assert config.Inbox().account is None


def test_a_fault_of_an_address_does_not_tell_its_password(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, '[inbox]\nimap_url = "imap://user:hunter2@mail.city.example"')
    assert "hunter2" not in fault


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().server.proxies = 3  # type: ignore[misc]
