"""Setting up a password with its second factor, and changing it: what it asks for, what it ends, who hears of it."""

from __future__ import annotations

import base64
import re
import unicodedata

import pytest

from scheduler import access, admin, i18n, password_sign_in, second_factor, sessions, ways_in
from scheduler.cli import main
from scheduler.core.errors import Forbidden, Invalid, NotFound, TooMany
from scheduler.core.words import LANGUAGES
from scheduler.db import tables as t
from tests.house import House, parsed
from tests.passwords import HOME, PASSWORD, Owner, owner, visitor

OTHER = "seventeen lanterns under quiet ferns"


def keys_of(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [fault.key for fault in error.value.faults]


def everything(house: House) -> str:
    """All that the database holds, as text."""
    with house.desk.store.read() as db:
        return "\n".join(repr(tuple(row)) for table in t.metadata.sorted_tables for row in db.execute(table.select()))


def word_of(house: House) -> list[str]:
    """The first sentences of the mails about changes, oldest first."""
    return [parsed(row.content).get_body(("plain",)).get_content() for row in house.outbox(kind="security")]  # type: ignore[union-attr]


# --- setting up


def test_a_password_is_no_way_in_before_its_second_factor_is_confirmed(house: House) -> None:
    mine = visitor(house)
    assert not ways_in.choose_password(house.desk, mine.person, mine.session, PASSWORD)
    with pytest.raises(Invalid):
        mine.half()
    assert ways_in.of_person(house.desk, mine.person).changed_at is None
    mine.secret = ways_in.offered_secret(house.desk, mine.person, mine.session)
    with pytest.raises(Invalid) as error:
        ways_in.confirm(house.desk, mine.person, mine.session, "000000")
    assert keys_of(error) == ["wrong-new-code"]
    with pytest.raises(Invalid):
        mine.half()
    mine.enrol()
    assert mine.sign_in()


def test_an_enrolment_is_of_its_session_and_ends_after_a_while(house: House) -> None:
    mine, elsewhere = visitor(house), visitor(house)
    ways_in.choose_password(house.desk, mine.person, mine.session, PASSWORD)
    with pytest.raises(NotFound):
        ways_in.offered_secret(house.desk, mine.person, elsewhere.session)
    with pytest.raises(NotFound):
        ways_in.offered_secret(house.desk, house.person("ulaanbaatar"), mine.session)
    house.clock.forward(minutes=15)
    with pytest.raises(NotFound):
        mine.enrol()


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short words", "password-short"),
        ("w" * 1001, "password-long"),
        ("password1234", "password-common"),
        ("qwertyuiop[]", "password-common"),
        ("123456789012", "password-common"),
        ("Gwangjin lantern 7 quiet", "password-known-word"),
        ("광진구 등불 고래 우산 바람", "password-known-word"),
        ("my international lantern", "password-known-word"),
        ("scheduler lantern quiet", "password-known-word"),
        ("meetings of CITIES lantern", "password-known-word"),
    ],
)
def test_passwords_that_are_guessed_soon_are_refused(house: House, password: str, fault: str) -> None:
    mine = visitor(house)
    with pytest.raises(Invalid) as error:
        ways_in.choose_password(house.desk, mine.person, mine.session, password)
    assert keys_of(error) == [fault]


@pytest.mark.parametrize("password", [PASSWORD, "바람 연필 고래 우산 등불", "x7#Kq" + "lantern fern " * 76])
def test_long_ones_need_no_digits_and_count_to_the_last_letter(house: House, password: str) -> None:
    mine = visitor(house)
    ways_in.choose_password(house.desk, mine.person, mine.session, password)
    mine.enrol()
    assert mine.half(password)
    with pytest.raises(Invalid):
        mine.half(password[:-1])


def test_a_password_is_the_same_however_the_keyboard_composes_its_letters(house: House) -> None:
    mine = visitor(house)
    typed = "바람 연필 고래 우산 등불"
    ways_in.choose_password(house.desk, mine.person, mine.session, unicodedata.normalize("NFD", typed))
    mine.enrol()
    assert mine.half(unicodedata.normalize("NFC", typed))


def test_the_database_alone_gives_nobody_a_code_or_a_password(house: House) -> None:
    mine = owner(house)
    held = everything(house)
    secret = base64.b32decode(mine.secret)
    for text in (PASSWORD, mine.secret, repr(secret), *mine.codes, *(code.replace("-", "") for code in mine.codes)):
        assert text not in held
    assert "argon2id" in held


def test_ten_recovery_codes_of_more_than_64_bits_each_work_once(house: House) -> None:
    """B03."""
    mine = owner(house)
    assert len({*mine.codes}) == 10
    assert all(31 ** len(code.replace("-", "")) > 2**64 for code in mine.codes)
    typed = mine.codes[3].upper().replace("-", " ")
    assert password_sign_in.finish(house.desk, mine.half(), typed)
    assert ways_in.of_person(house.desk, mine.person).codes_left == 9
    with pytest.raises(Invalid):
        password_sign_in.finish(house.desk, mine.half(), mine.codes[3])


def test_the_picture_holds_the_address_that_programs_open(house: House) -> None:
    mine = owner(house)
    address = second_factor.address(mine.secret, mine.person.email, "Cities: north")
    assert re.fullmatch(r"otpauth://totp/[^?]+\?secret=[A-Z2-7]{32}&issuer=Cities%20%20north", address)
    assert second_factor.picture(address).startswith("data:image/svg+xml")


# --- changing


def change_password(mine: Owner) -> None:
    assert ways_in.choose_password(mine.house.desk, mine.person, mine.session, OTHER)


def change_factor(mine: Owner) -> None:
    ways_in.begin_second_factor(mine.house.desk, mine.person, mine.session)
    mine.enrol()


def make_codes(mine: Owner) -> None:
    mine.codes = ways_in.new_recovery_codes(mine.house.desk, mine.person, mine.session)


def turn_off(mine: Owner) -> None:
    ways_in.remove(mine.house.desk, mine.person, mine.session)


CHANGES = {"password": change_password, "second-factor": change_factor, "recovery-codes": make_codes, "off": turn_off}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_ends_all_other_sessions_and_the_person_hears_of_it(house: House, change: str) -> None:
    """B02."""
    mine = owner(house)
    copied, half = mine.sign_in(), mine.half()
    assert access.person_of_cookie(house.desk, copied)
    CHANGES[change](mine)
    assert access.person_of_cookie(house.desk, copied) is None
    assert access.person_of_cookie(house.desk, mine.session) == mine.person
    with pytest.raises(NotFound):
        password_sign_in.person_of_half(house.desk, half)
    assert i18n.text("ko", f"mail.security.{change}") in word_of(house)[-1]
    assert len(word_of(house)) == 2
    assert PASSWORD not in everything(house)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_asks_for_a_recent_proof(house: House, change: str) -> None:
    mine = owner(house)
    house.clock.forward(minutes=11)
    before = everything(house)
    with pytest.raises(Forbidden) as error:
        CHANGES[change](mine)
    assert error.value.key == "proof-needed"
    assert everything(house) == before
    ways_in.prove(house.desk, mine.person, mine.session, PASSWORD, mine.next_code(), HOME)
    CHANGES[change](mine)


def test_the_first_password_asks_for_a_recent_proof_too(house: House) -> None:
    mine = visitor(house)
    house.clock.forward(minutes=11)
    with pytest.raises(Forbidden):
        ways_in.choose_password(house.desk, mine.person, mine.session, PASSWORD)


def test_a_proof_needs_both_password_and_code_and_is_limited(house: House) -> None:
    """B03."""
    mine = owner(house)
    house.clock.forward(minutes=11)
    for password, code in ((PASSWORD, "000000"), (OTHER, mine.code()), ("", ""), (OTHER, mine.codes[0])):
        with pytest.raises(Invalid):
            ways_in.prove(house.desk, mine.person, mine.session, password, code, HOME)
    assert not sessions.is_proved(house.desk, mine.person, mine.session)
    with pytest.raises(Invalid):
        ways_in.prove(house.desk, mine.person, mine.session, "", "", HOME)
    with pytest.raises(TooMany):
        ways_in.prove(house.desk, mine.person, mine.session, PASSWORD, mine.code(), HOME)


def test_a_changed_password_and_a_replaced_factor_are_the_only_ones(house: House) -> None:
    mine = owner(house)
    old_secret, old_codes = mine.secret, mine.codes
    change_password(mine)
    with pytest.raises(Invalid):
        mine.half(PASSWORD)
    house.clock.forward(seconds=60)
    change_factor(mine)
    half, house.clock.time = mine.half(OTHER), house.clock.time
    house.clock.forward(seconds=30)
    for code in (Owner(house, mine.person, "", old_secret).code(), old_codes[0]):
        with pytest.raises(Invalid):
            password_sign_in.finish(house.desk, half, code)
    assert password_sign_in.finish(house.desk, half, mine.code())


def test_switched_off_there_is_no_password(house: House) -> None:
    mine = owner(house)
    turn_off(mine)
    with pytest.raises(Invalid):
        mine.half()
    with pytest.raises(NotFound):
        change_factor(mine)
    with pytest.raises(NotFound):
        make_codes(mine)


def test_a_disabled_person_has_no_way_in_left(house: House) -> None:
    """A07."""
    mine = owner(house)
    half = mine.half()
    admin.disable_person(house.desk, mine.person.email, house.person(role="operator").email)
    with pytest.raises(Invalid):
        mine.half()
    with pytest.raises(NotFound):
        password_sign_in.finish(house.desk, half, mine.next_code())
    assert access.person_of_cookie(house.desk, mine.session) is None
    assert ways_in.of_person(house.desk, mine.person) == ways_in.WaysIn(None, 0)
    assert sessions.of_person(house.desk, mine.person) == []


# --- by the operator


def test_the_operator_removes_what_was_lost(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = owner(house)
    folder = house.desk.settings.server.secret_key_file.parent
    (folder / "config.toml").write_text(
        '[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meet@cities.example"\nfrom_name = "Cities"\n'
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SCHEDULER_DATABASE__URL", house.desk.settings.database.url)
    command = ["people", "reset-sign-in", "--email"]
    assert main([*command, mine.person.email]) == 0
    assert mine.person.email in capsys.readouterr().out
    assert access.person_of_cookie(house.desk, mine.session) is None
    with pytest.raises(Invalid):
        mine.half()
    assert ways_in.of_person(house.desk, mine.person) == ways_in.WaysIn(None, 0)
    assert i18n.text("ko", "mail.security.reset") in word_of(house)[-1]
    assert main([*command, "nobody@nowhere.example"]) == 1
    assert "not registered" in capsys.readouterr().err


def test_everybody_is_told_in_their_own_language(house: House) -> None:
    for city in ("gwangjin", "ulaanbaatar", "eregli"):
        person = house.person(city)
        owner(house, person)
        assert person.language in LANGUAGES
        assert i18n.text(person.language, "mail.security.on") in word_of(house)[-1]
    assert len({tuple(row) for row in house.outbox(kind="security")}) == 3
