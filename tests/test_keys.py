"""B10: the server's key can be replaced. What is new comes from the new one; what people have goes on working."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler import access, answers, backups, booking, password_sign_in, tokens, ways_in
from scheduler.backups import Unusable
from scheduler.core.errors import Invalid
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.house import BAT, KIM, House, parsed
from tests.passwords import owner

BASE = "http://127.0.0.1:8000"


def rotate(house: House, *, keep: bool = True) -> None:
    """Puts a new key on the first line of the file, and starts anew."""
    file = house.desk.settings.server.secret_key_file
    older = file.read_text("ascii") if keep else ""
    file.write_text(f"{secrets.token_hex(32)}\n{older}", "ascii")
    key, *rest = tokens.read_keys(file)
    house.desk = replace(house.desk, key=key, older_keys=tuple(rest))


def links(house: House, who: str) -> list[str]:
    texts = (mail.get_body(("plain",)).get_content() for mail in house.mails(who))  # type: ignore[union-attr]
    return [found[1] for text in texts if (found := re.search(r"/i/([a-z2-7]{26})", text))]


def test_the_first_line_is_the_key_and_further_lines_are_older_ones(house: House) -> None:
    """B10."""
    first = house.desk.key
    rotate(house)
    rotate(house)
    opened = Desk.open(house.desk.settings)
    assert (opened.key, opened.older_keys) == (house.desk.key, house.desk.older_keys)
    assert opened.keys[-1] == first
    assert len(set(opened.keys)) == 3
    opened.store.close()


@pytest.mark.parametrize("line", ["short", "a" * 64, "dev"])
def test_a_weak_older_key_stops_the_start_too(house: House, line: str) -> None:
    """B10, B12."""
    file = house.desk.settings.server.secret_key_file
    file.write_text(file.read_text("ascii") + line + "\n", "ascii")
    with pytest.raises(tokens.WeakKey, match="too short or too simple"):
        Desk.open(house.desk.settings)


def test_later_mails_of_an_invitation_repeat_its_link_and_reply_address(house: House) -> None:
    """B10."""
    meeting = house.book(people=(BAT,))
    house.send_all()
    rotate(house)
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, people=(BAT, KIM), agenda=d.title))
    first, second = links(house, BAT.email)
    assert first == second
    assert house.mails(BAT)[0]["From"] == house.mails(BAT)[1]["From"]
    assert answers.open_invitation(house.desk, first).invitation.is_called(BAT.email)
    assert house.receive(house.reply(meeting, BAT, "ACCEPTED")).outcome == "accepted"
    (new,) = links(house, KIM.email)
    assert tokens.derived(house.desk.key, tokens.LINK, house.invitation(meeting, KIM)) == new


def test_without_the_older_key_links_in_mails_that_people_have_work(house: House) -> None:
    """B10: only what later mails would repeat is lost."""
    meeting = house.book(people=(BAT,))
    house.send_all()
    (link,) = links(house, BAT.email)
    reply = house.reply(meeting, BAT, "ACCEPTED")
    rotate(house, keep=False)
    assert answers.open_invitation(house.desk, link).invitation.is_called(BAT.email)
    assert house.receive(reply).outcome == "accepted"


def test_the_second_factor_goes_on_and_a_new_one_comes_from_the_new_key(house: House) -> None:
    """B10."""
    mine = owner(house)
    rotate(house)
    assert mine.sign_in()
    ways_in.begin_second_factor(house.desk, mine.person, mine.session)
    house.clock.forward(seconds=30)
    mine.enrol()
    house.desk = replace(house.desk, older_keys=())
    assert mine.sign_in()


def test_with_its_key_gone_a_second_factor_gives_no_code_and_the_link_is_there(house: House) -> None:
    mine = owner(house)
    rotate(house, keep=False)
    with pytest.raises(Invalid):
        mine.sign_in()
    assert password_sign_in.finish(house.desk, mine.half(), mine.codes[0])  # recovery codes need no key
    assert access.new_sign_in_link(house.desk, mine.person.email)


def test_forms_that_lie_open_can_be_sent_and_the_new_key_signs(house: House) -> None:
    """B10."""
    old = create_app(desk=house.desk).test_client()
    page = old.get("/sign-in", base_url=BASE)
    cookie = old.get_cookie("form", domain="127.0.0.1")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert cookie
    assert token
    rotate(house)

    def sent(desk: Desk) -> int:
        browser = create_app(desk=desk).test_client()
        browser.set_cookie("form", cookie.value, domain="127.0.0.1")
        data = {"email": house.person().email, "csrf_token": token[1]}
        return browser.post("/sign-in", base_url=BASE, data=data).status_code

    assert sent(house.desk) == 200
    assert sent(replace(house.desk, older_keys=())) == 400
    new = create_app(desk=house.desk).test_client()
    page = new.get("/sign-in", base_url=BASE)
    cookie = new.get_cookie("form", domain="127.0.0.1")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert sent(replace(house.desk, older_keys=())) == 200


def test_a_copy_of_before_is_restored_beside_the_older_key_and_not_without(house: House, tmp_path: Path) -> None:
    """B10."""
    house.book()
    file = tmp_path / "copy.db"
    backups.backup(house.desk.settings, file)
    rotate(house)
    assert backups.restore(house.desk.settings, file, house.clock.time).meetings == 1
    rotate(house, keep=False)
    house.clock.forward(minutes=1)
    with pytest.raises(Unusable, match="another secret key"):
        backups.restore(house.desk.settings, file, house.clock.time)


def test_limits_hold_after_the_change(house: House) -> None:
    """B10: counting begins anew with the new key."""
    from scheduler import limits
    from scheduler.core.errors import TooMany

    limit = limits.Limit("x", 1, limits.HOUR)
    for _ in range(2):
        limits.spend(house.desk, limit, "somebody")
        with pytest.raises(TooMany):
            limits.spend(house.desk, limit, "somebody")
        rotate(house)


def test_mails_that_wait_leave_with_the_same_bytes(house: House) -> None:
    house.book(people=(BAT,))
    before = [row.content for row in house.outbox()]
    rotate(house)
    house.send_all()
    assert [row.content for row in house.outbox(state="handed-over")] == before
    assert parsed(before[0])["Message-ID"]
