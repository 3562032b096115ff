"""`scheduler check`: the login to the mailbox, and a mail through a token address that must come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scheduler import round_trip
from scheduler.cli import main
from scheduler.config import Settings
from scheduler.replies import receive
from scheduler.round_trip import NotProved
from tests import letter_box, post_office
from tests.house import House
from tests.letter_box import PASSWORD, USER, LetterBox, Server
from tests.post_office import PostOffice
from tests.test_polling import outcomes, poll


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_trip, "LOOK_PAUSE_SECONDS", 0.01)


@dataclass
class Delivery(PostOffice):
    """A mail server that delivers what it takes: `deliver` gets each mail and its receiver."""

    deliver: Callable[[str, bytes], None] = lambda recipient, content: None

    async def handle_DATA(self, server, session, envelope):  # type: ignore[no-untyped-def]
        answer = await super().handle_DATA(server, session, envelope)
        if answer.startswith("2"):
            self.deliver(envelope.rcpt_tos[0], envelope.content)
        return answer


@contextmanager
def town(settings: Settings, box: LetterBox, delivery: Delivery) -> Iterator[Settings]:
    with post_office.opened(delivery):
        polled = letter_box.polling(settings, box.server.port, box.folder)
        yield post_office.sending_to(polled, delivery.port)


@pytest.fixture
def box(imap_server: Server) -> LetterBox:
    return imap_server.box()


def test_a_mail_through_a_token_address_comes_back(house: House, box: LetterBox) -> None:
    delivery = Delivery(deliver=lambda recipient, content: box.put(b"Delivered-To: meet@cities.example\r\n" + content))
    with town(house.desk.settings, box, delivery) as settings:
        assert round_trip.prove(settings, 30).startswith("+TOKEN survives")
    token = next(arrival.recipient for arrival in delivery.arrived if "+" in arrival.recipient)
    assert len(token) == len("meet+@cities.example") + 26
    house.desk = replace(house.desk, settings=settings)
    assert poll(house)
    assert outcomes(house) == ["ignored-loop", "ignored-loop"]  # nobody is bothered with it


def test_a_server_that_delivers_no_mail_with_a_token_is_found_out(house: House, box: LetterBox) -> None:
    def deliver(recipient: str, content: bytes) -> None:
        if "+" not in recipient:
            box.put(content)

    told = pytest.raises(NotProved, match=r"\+TOKEN does not survive")
    with town(house.desk.settings, box, Delivery(deliver=deliver)) as settings, told:
        round_trip.prove(settings, 0.3)


def test_a_server_that_strips_the_token_is_found_out(house: House, box: LetterBox) -> None:
    def deliver(recipient: str, content: bytes) -> None:
        token = recipient.partition("+")[2].encode()
        box.put(content.replace(b"meet+" + token, b"meet@cities.example") if token else content)

    told = pytest.raises(NotProved, match=r"has stripped \+TOKEN")
    with town(house.desk.settings, box, Delivery(deliver=deliver)) as settings, told:
        round_trip.prove(settings, 30)


def test_a_server_that_refuses_the_token_is_found_out(house: House, box: LetterBox) -> None:
    refuses = Delivery(lambda recipient: "550 5.1.1 No such user" if "+" in recipient else "250 OK")
    told = pytest.raises(NotProved, match=r"takes no mail with the address meet\+TOKEN@.*550 5\.1\.1")
    with town(house.desk.settings, box, refuses) as settings, told:
        round_trip.prove(settings, 30)


def test_mail_that_never_comes_back_is_waited_for_no_longer_than_told(house: House, box: LetterBox) -> None:
    told = pytest.raises(NotProved, match="neither with")
    with town(house.desk.settings, box, Delivery()) as settings, told:
        round_trip.prove(settings, 0.2)


def test_without_a_mailbox_the_mail_is_looked_for_among_what_was_received(house: House) -> None:
    delivery = Delivery(deliver=lambda recipient, content: receive(house.desk, content) and None)
    with post_office.opened(delivery):
        settings = post_office.sending_to(house.desk.settings, delivery.port)
        assert round_trip.prove(settings, 30).startswith("+TOKEN survives")


def test_mail_that_goes_to_a_folder_is_not_sent(house: House) -> None:
    with pytest.raises(NotProved, match="a folder"):
        round_trip.prove(house.desk.settings)


def test_check_logs_in_to_the_mailbox_and_never_tells_the_password(
    box: LetterBox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meet@cities.example"\n', "utf-8")
    account = letter_box.polling(Settings(), box.server.port, box.folder).inbox.imap_url
    monkeypatch.setenv("SCHEDULER_INBOX__IMAP_URL", account)
    assert main(["--config", str(config), "init"]) == 0
    box.put(b"Subject: one\r\n\r\n")
    assert main(["--config", str(config), "check"]) == 0
    assert f"ok    mailbox: {USER}@127.0.0.1:{box.server.port}/{box.folder}, messages: 1" in capsys.readouterr().out
    assert main(["--config", str(config), "check", "--send"]) == 1
    assert "FAULT round trip: mail is kept in a folder" in capsys.readouterr().out
    for wrong, told in ((account.replace("%25", "wrong%25"), "login refused"), (f"{account}-none", "cannot be opened")):
        monkeypatch.setenv("SCHEDULER_INBOX__IMAP_URL", wrong)
        assert main(["--config", str(config), "check"]) == 1
        output = capsys.readouterr().out
        assert "FAULT mailbox: " in output
        assert told in output
        assert PASSWORD not in output
