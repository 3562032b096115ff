"""Who is let in: one-time links, sessions that end, tokens that can be withdrawn, keys that must be good."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler import access, admin, answers, booking, commands, tokens
from scheduler.config import Settings
from scheduler.core.errors import Invalid, NotFound
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from scheduler.tokens import WeakKey
from tests.databases import holds
from tests.house import AYLIN, BAT, House, parsed


def _link(house: House) -> str:
    """The token of a new sign-in link of the coordinator."""
    return access.new_sign_in_link(house.desk, house.person().email).rpartition("/")[2]


def _signed_in(house: House) -> str:
    return access.sign_in(house.desk, _link(house))


def _mailed_links(house: House, email: str) -> list[str]:
    text = [parsed(row.content).get_body(("plain",)) for row in house.outbox(kind="sign-in", recipient=email)]
    return [re.search(r"/sign-in/([a-z2-7]+)", part.get_content())[1] for part in text]  # type: ignore[index,union-attr]


# --- one-time links


def test_a_link_signs_in_once(house: House) -> None:
    token = _link(house)
    assert access.person_of_link(house.desk, token) == house.person()
    cookie = access.sign_in(house.desk, token)
    assert access.person_of_cookie(house.desk, cookie) == house.person()
    with pytest.raises(NotFound):
        access.sign_in(house.desk, token)


def test_looking_at_a_link_does_not_consume_it(house: House) -> None:
    token = _link(house)
    for _ in range(3):
        access.person_of_link(house.desk, token)
    assert access.sign_in(house.desk, token)


def test_used_expired_and_unknown_links_look_the_same(house: House) -> None:
    used = _link(house)
    access.sign_in(house.desk, used)
    expired = _link(house)
    house.clock.forward(minutes=10)
    said = []
    for token in (used, expired, tokens.new_token(), "", "x" * 5000, "\x00"):
        for look in (access.person_of_link, access.sign_in):
            with pytest.raises(NotFound) as error:
                look(house.desk, token)
            said.append((error.value.key, error.value.values))
    assert said == [("link-expired", {})] * 12


def test_a_link_is_mailed_to_whom_it_signs_in_and_to_nobody_else(house: House) -> None:
    access.ask_for_link(house.desk, house.person().email.upper())
    (token,) = _mailed_links(house, house.person().email)
    assert access.person_of_link(house.desk, token) == house.person()
    for address in ("nobody@nowhere.example", BAT.email, "", "no address"):
        access.ask_for_link(house.desk, address)
    assert len(house.outbox()) == 1


def test_sign_in_mails_are_limited_by_the_hour_and_the_limit_is_not_told(house: House) -> None:
    limit = house.desk.settings.limits.sign_in_mails_per_hour
    email = house.person().email
    for _ in range(limit + 3):
        access.ask_for_link(house.desk, email)
        house.clock.forward(seconds=1)
    assert len(_mailed_links(house, email)) == limit
    house.clock.forward(hours=1)
    access.ask_for_link(house.desk, email)
    assert len(_mailed_links(house, email)) == limit + 1


def test_only_somebody_who_signs_in_gets_a_link_or_a_token(house: House) -> None:
    contact = house.person("eregli", "contact")
    for give in (access.new_sign_in_link, access.new_api_token):
        for email, key in ((contact.email, "person-cannot-sign-in"), ("nobody@nowhere.example", "unknown-person")):
            with pytest.raises(Invalid) as error:
                give(house.desk, email)
            assert [fault.key for fault in error.value.faults] == [key]


# --- sessions


def test_a_cookie_that_was_copied_before_signing_out_is_dead_after_it(house: House) -> None:
    cookie = copied = _signed_in(house)
    other = _signed_in(house)
    access.sign_out(house.desk, cookie)
    assert access.person_of_cookie(house.desk, copied) is None
    assert access.person_of_cookie(house.desk, other) == house.person()


def test_signing_in_always_makes_a_new_cookie(house: House) -> None:
    assert _signed_in(house) != _signed_in(house)


def test_a_session_ends_when_it_is_idle_and_in_the_end_anyway(house: House) -> None:
    kept = house.desk.settings.retention
    idle = _signed_in(house)
    house.clock.forward(minutes=kept.sessions_idle_minutes)
    assert access.person_of_cookie(house.desk, idle) is None
    used = _signed_in(house)
    steps = kept.sessions_hours * 60 // (kept.sessions_idle_minutes - 1)
    for _ in range(steps):
        house.clock.forward(minutes=kept.sessions_idle_minutes - 1)
        assert access.person_of_cookie(house.desk, used) == house.person()
    house.clock.forward(minutes=kept.sessions_idle_minutes - 1)
    assert access.person_of_cookie(house.desk, used) is None


def test_a_disabled_person_is_out_at_once_and_everywhere(house: House) -> None:
    """A07."""
    me, heir = house.person(), house.person(role="operator")
    cookie, link = _signed_in(house), _link(house)
    _, bearer = access.new_api_token(house.desk, me.email)
    meeting = house.book()
    admin.disable_person(house.desk, me.email, heir.email)
    assert access.person_of_cookie(house.desk, cookie) is None
    assert access.caller_of_bearer(house.desk, bearer) is None
    with pytest.raises(NotFound):
        access.sign_in(house.desk, link)
    access.ask_for_link(house.desk, me.email)
    assert not house.outbox(kind="sign-in")
    assert house.meeting(meeting.id).owner_id == heir.id


# --- tokens for programs


def test_a_revoked_token_is_dead_and_the_others_live(house: House) -> None:
    """D07."""
    number, token = access.new_api_token(house.desk, house.person().email)
    _, other = access.new_api_token(house.desk, house.person().email)
    assert access.caller_of_bearer(house.desk, token).person == house.person()
    access.revoke_api_token(house.desk, number)
    assert access.caller_of_bearer(house.desk, token) is None
    assert access.caller_of_bearer(house.desk, other).person == house.person()
    assert [t.revoked_at is None for t, _ in access.api_tokens(house.desk)] == [False, True]
    for unknown in (number, 4711):
        with pytest.raises(NotFound):
            access.revoke_api_token(house.desk, unknown)


# --- what tokens are


def _all_tokens(house: House) -> dict[str, str]:
    """One token of each purpose, and both of two invitations to two meetings."""
    found = {"cookie": _signed_in(house), "sign-in": _link(house)}
    found["bearer"] = access.new_api_token(house.desk, house.person().email)[1]
    for number in (1, 2):
        meeting = house.book()
        for who in (BAT, AYLIN):
            addressed = house.desk.addressed(house.invitation(meeting, who))
            found[f"link {number} {who.city}"] = addressed.link.rpartition("/")[2]
            found[f"reply {number} {who.city}"] = addressed.reply_address.partition("+")[2].partition("@")[0]
    return found


def test_tokens_have_128_bits_at_least_survive_lower_casing_and_differ(house: House) -> None:
    """D05."""
    found = _all_tokens(house)
    assert len(found) == 11
    assert len(set(found.values())) == len(found)
    for purpose, token in found.items():
        assert re.fullmatch("[a-z2-7]+", token), purpose
        assert len(token) * 5 >= 128, purpose


def test_a_token_of_one_purpose_opens_nothing_else(house: House) -> None:
    """D06."""
    for purpose, token in _all_tokens(house).items():
        opens = []
        for name, look in (("sign-in", access.person_of_link), ("link", answers.open_invitation)):
            try:
                opens.append(look(house.desk, token) and name)
            except NotFound:
                continue
        opens += ["cookie"] if access.person_of_cookie(house.desk, token) else []
        opens += ["bearer"] if access.caller_of_bearer(house.desk, token) else []
        # A reply address opens no page; that a link's token is no reply address is the unknown token of a mail.
        assert opens == [name for name in ("sign-in", "link", "cookie", "bearer") if purpose.startswith(name)], purpose


def test_the_token_of_a_page_is_no_reply_address(house: House) -> None:
    """D06."""
    meeting = house.book()
    page = house.desk.addressed(house.invitation(meeting, BAT)).link.rpartition("/")[2]
    raw = house.reply(meeting, BAT, "ACCEPTED", to=f"meet+{page}@cities.example")
    assert house.receive(raw).outcome == "held-sender-mismatch"


def test_the_link_of_somebody_who_was_removed_looks_like_an_unknown_one(house: House) -> None:
    """D07."""
    meeting = house.book()
    token = house.desk.addressed(house.invitation(meeting, BAT)).link.rpartition("/")[2]
    assert answers.open_invitation(house.desk, token).invitation.is_called(BAT.email)
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, people=(AYLIN,)))
    said = []
    for unknown in (token, tokens.new_token()):
        with pytest.raises(NotFound) as error:
            answers.open_invitation(house.desk, unknown)
        said.append((error.value.key, error.value.values))
    assert said[0] == said[1]


def test_no_token_stands_in_the_database_but_in_the_mail_that_carries_it(house: House) -> None:
    """D05, D08."""
    found = _all_tokens(house)
    access.ask_for_link(house.desk, house.person().email)
    found["mailed sign-in"] = _mailed_links(house, house.person().email)[0]
    with house.desk.store.write() as db:
        db.execute(t.outbox.update().values(content=b"", envelope_from=""))
    assert holds(house.desk.store, tokens.hashed(found["bearer"]))
    for purpose, token in found.items():
        assert not holds(house.desk.store, token), purpose
        assert not holds(house.desk.store, token.upper()), purpose


def test_who_has_the_database_but_not_the_key_makes_other_tokens(house: House) -> None:
    invitation = house.book().people[0]
    mine = {tokens.derived(key, tokens.LINK, invitation) for key in (house.desk.key, b"x" * 32)}
    assert len(mine) == 2
    assert tokens.derived(house.desk.key, tokens.LINK, invitation) == tokens.derived(
        house.desk.key, tokens.LINK, replace(invitation, status="accepted", lead=3)
    )


# --- a fresh installation


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "new" / "config.toml"
    file.parent.mkdir()
    file.write_text('[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meet@cities.example"\n', "utf-8")
    return file


def test_a_fresh_installation_has_no_account_and_a_key_of_its_own(config_file: Path) -> None:
    commands.init(Namespace(config=config_file, example=False))
    store = Store(f"sqlite:///{config_file.parent / 'scheduler.db'}")
    with store.read() as db:
        for table in ("people", "web_sessions", "api_tokens", "sign_in_links", "cities"):
            assert db.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0, table
    store.close()
    key = config_file.parent / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    made = key.read_bytes()
    commands.init(Namespace(config=config_file, example=False))
    assert key.read_bytes() == made


def test_nobody_of_the_example_data_can_sign_in_without_a_link(house: House) -> None:
    with house.desk.store.read() as db:
        for table in ("web_sessions", "api_tokens", "sign_in_links"):
            assert db.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0, table


@pytest.mark.parametrize("content", [b"", b"dev\n", b"x" * 31, b"x" * 64, b"ab" * 32, b" \n" * 40])
def test_a_weak_key_stops_the_start(settings: Settings, content: bytes) -> None:
    settings.server.secret_key_file.write_bytes(content)
    with pytest.raises(WeakKey, match="too short or too simple"):
        Desk.open(settings)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_key_that_others_can_read_or_write_stops_the_start(settings: Settings, mode: int) -> None:
    settings.server.secret_key_file.chmod(mode)
    with pytest.raises(WeakKey, match="chmod 600"):
        Desk.open(settings)


def test_a_missing_key_stops_the_start_and_none_is_made(settings: Settings) -> None:
    settings.server.secret_key_file.unlink()
    with pytest.raises(WeakKey, match="scheduler init"):
        Desk.open(settings)
    assert not settings.server.secret_key_file.exists()


def test_an_error_about_the_key_does_not_show_it(settings: Settings) -> None:
    settings.server.secret_key_file.write_bytes(b"hunter2hunter2")
    with pytest.raises(WeakKey) as error:
        Desk.open(settings)
    assert "hunter2" not in str(error.value)


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        tokens.make_key(tmp_path / name)
        keys.append(tokens.read_key(tmp_path / name))
    assert keys[0] != keys[1]
    assert all(len(bytes.fromhex(key.decode())) == 32 for key in keys)
