"""The configuration: one TOML file, every key of which the environment can set as SCHEDULER_SECTION__KEY.

What is wrong is told all at once, each fault with its key; a bad value stops the start. `config.example.toml` shows
every key with its default and is tested against this module.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class ConfigurationError(Exception):
    """The configuration cannot be used; `faults` are lines to show the operator."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Section):
    base_url: str = "http://127.0.0.1:8000"
    secret_key_file: Path = Path("secret.key")
    trusted_hosts: list[str] = []  # beside the host of base_url
    proxies: int = Field(default=0, ge=0, le=5)  # how many reverse proxies stand in front

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://meet.city.example")
        if parts.path not in ("", "/"):
            raise ValueError("must not have a path: the product stands at the root of its host")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must begin with https:// (http:// is accepted only for 127.0.0.1, ::1 and localhost)")
        return value.rstrip("/")

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def hosts(self) -> list[str]:
        return [urlsplit(self.base_url).hostname or "", *self.trusted_hosts]


class Database(_Section):
    url: str = "sqlite:///scheduler.db"

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            return _postgresql(value)
        if not value.startswith("sqlite:///") or value in ("sqlite:///", "sqlite:///:memory:"):
            raise ValueError("must be sqlite:///FILE or postgresql://user:password@host/database")
        return value

    @property
    def file(self) -> Path | None:
        """Where the database lies, if it is one file."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite:///") else None


def _postgresql(value: str) -> str:
    """Refuses an address by which passwords and personal data would cross a network in clear."""
    try:
        parts = urlsplit(value)
        port, asked = parts.port, dict(parse_qsl(parts.query))
    except ValueError:
        raise ValueError("must be postgresql://user:password@host/database, with special characters as %XX") from None
    if not parts.path.strip("/") or port == 0:
        raise ValueError("needs the name of a database: postgresql://user:password@host/database")
    host = asked.get("host", parts.hostname or "")
    here = not host or host.startswith("/") or is_loopback(host)
    if not here and asked.get("sslmode") not in ("require", "verify-ca", "verify-full"):
        raise ValueError("needs ?sslmode=verify-full, unless the server is on this machine")
    return value


class Mail(_Section):
    smtp_url: str = "smtp://localhost:25"
    from_address: str = "meetings@localhost.localdomain"
    from_name: str = "Sister City Meetings"

    @field_validator("smtp_url")
    @classmethod
    def _safe_transport(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme == "mailbox":
            if not value[len("mailbox:") :]:
                raise ValueError("mailbox: needs a folder, such as mailbox:var/mail")
            return value
        if parts.scheme not in ("smtp", "smtp+starttls", "smtps") or not parts.hostname:
            raise ValueError("must be smtp+starttls://user:password@host:587, smtps://…, smtp://… or mailbox:FOLDER")
        if parts.scheme == "smtp" and not is_loopback(parts.hostname):
            raise ValueError("plain smtp:// is accepted only to this machine; use smtp+starttls:// or smtps://")
        return value

    @field_validator("from_address")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        local, _, domain = value.rpartition("@")
        if not local or not domain or "+" in local or not value.isascii() or any(c in value for c in ' <>,;:"\r\n'):
            raise ValueError("must be a plain address without '+', such as meetings@city.example")
        return value

    @property
    def domain(self) -> str:
        return self.from_address.rpartition("@")[2]

    @property
    def mailbox(self) -> Path | None:
        """The folder that mail is written to instead of being sent, with a mailbox: address."""
        return Path(self.smtp_url[len("mailbox:") :]) if self.smtp_url.startswith("mailbox:") else None

    @property
    def smtp_login(self) -> tuple[str, str] | None:
        parts = urlsplit(self.smtp_url)
        return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


@dataclass(frozen=True, slots=True)
class Account:
    """A mailbox on an IMAP server. `name` tells it from others, without the password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str
    tls: bool

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"


class Inbox(_Section):
    imap_url: str = ""  # imaps://user:password@host/INBOX; empty: no mailbox is polled
    poll_seconds: int = Field(default=60, ge=1, le=3600)
    authserv_id: str = ""  # of our own mail server's Authentication-Results; empty: trust none

    @field_validator("imap_url")
    @classmethod
    def _safe_mailbox(cls, value: str) -> str:
        parts = urlsplit(value)
        if not value:
            return value
        if parts.scheme not in ("imap", "imaps") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be imaps://user:password@host/INBOX, with special characters written as %XX")
        if parts.scheme == "imap" and not is_loopback(parts.hostname):
            raise ValueError("plain imap:// is accepted only to this machine; use imaps://")
        if not parts.username or not parts.password:
            raise ValueError("needs a user and a password: imaps://user:password@host/INBOX")
        if not unquote(value, errors="strict").isprintable():  # they would be commands of their own
            raise ValueError("must not have control characters")
        if parts.port == 0:
            raise ValueError("has no such port")
        return value

    @property
    def account(self) -> Account | None:
        """The mailbox to poll, if there is one."""
        parts = urlsplit(self.imap_url)
        if not self.imap_url:
            return None
        tls = parts.scheme == "imaps"
        return Account(
            host=parts.hostname or "",
            port=parts.port or (993 if tls else 143),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            folder=unquote(parts.path.strip("/")) or "INBOX",
            tls=tls,
        )


class Video(_Section):
    provider: Literal["none", "link", "jitsi"] = "link"
    base_url: str = ""

    @model_validator(mode="after")
    def _has_base(self) -> Video:
        if self.provider == "jitsi" and not self.base_url.startswith("https://"):
            raise ValueError("base_url must be the https:// address of the Jitsi server")
        return self


class Limits(_Section):
    people_per_meeting: int = Field(default=100, ge=1, le=1000)
    sign_in_mails_per_hour: int = Field(default=5, ge=1)  # per address
    sign_in_requests_per_hour: int = Field(default=300, ge=1)  # per client
    wrong_tokens_per_hour: int = Field(default=300, ge=1)  # per client
    wrong_passwords_per_hour: int = Field(default=100, ge=1)  # per client
    wrong_passwords_per_address: int = Field(default=1000, ge=1)  # per hour, from all clients
    wrong_codes_per_hour: int = Field(default=20, ge=1)  # per person, after the right password
    api_requests_per_minute: int = Field(default=60_000, ge=1)  # per token
    invitations_per_hour: int = Field(default=20_000, ge=1)  # per coordinator
    mails_per_recipient_per_day: int = Field(default=500, ge=1)  # of all coordinators together
    calendars_per_owner: int = Field(default=10, ge=1, le=100)
    calendar_changes_per_hour: int = Field(default=60, ge=1)  # per person
    mail_bytes: int = Field(default=10_000_000, ge=100_000)
    calendar_bytes: int = Field(default=512_000, ge=10_000)
    outbox_late_minutes: int = Field(default=60, ge=1)
    mailbox_late_minutes: int = Field(default=30, ge=1)


class Retention(_Section):
    sign_in_link_minutes: int = Field(default=10, ge=1, le=10)
    sessions_idle_minutes: int = Field(default=120, ge=5)
    sessions_hours: int = Field(default=20, ge=1)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="SCHEDULER_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file=None
    )

    server: Server = Server()
    database: Database = Database()
    mail: Mail = Mail()
    inbox: Inbox = Inbox()
    video: Video = Video()
    limits: Limits = Limits()
    retention: Retention = Retention()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def load(path: Path | None = None, **overrides: Any) -> Settings:
    """The settings from `path`, else $SCHEDULER_CONFIG, else ./config.toml when it exists, else the defaults.

    Relative paths in the file are meant from the file's folder. Raises ConfigurationError with every fault.
    """
    named = path or (Path(os.environ["SCHEDULER_CONFIG"]) if os.environ.get("SCHEDULER_CONFIG") else None)
    file = named or Path("config.toml")
    if named and not named.is_file():
        raise ConfigurationError([f"{named}: no such file (write one from config.example.toml)"])
    folder = file.resolve().parent

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        settings = FromFile(**overrides)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'configuration'}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError([f.replace("Value error, ", "") for f in faults]) from None
    except ValueError as error:  # not TOML
        raise ConfigurationError([f"{file}: {error}"]) from None
    return _anchored(settings, folder)


def _anchored(settings: Settings, folder: Path) -> Settings:
    server = settings.server.model_copy(update={"secret_key_file": folder / settings.server.secret_key_file})
    mail = settings.mail
    if mail.mailbox:
        mail = mail.model_copy(update={"smtp_url": f"mailbox:{folder / mail.mailbox}"})
    database = settings.database
    if database.file:
        database = database.model_copy(update={"url": f"sqlite:///{folder / database.file}"})
    return settings.model_copy(update={"server": server, "mail": mail, "database": database})
