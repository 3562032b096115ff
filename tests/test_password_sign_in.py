"""Signing in by password and code: what a guesser gets, what the owner keeps, and what time tells."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from scheduler import access, limits, password_sign_in, passwords, tokens
from scheduler.config import Limits
from scheduler.core.errors import Busy, Invalid, NotFound, TooMany
from scheduler.db import tables as t
from scheduler.desk import Desk
from tests import processes
from tests.house import House
from tests.passwords import HOME, PASSWORD, owner, visitor

THIEF = "203.0.113.9"


def limited(house: House, **limits_: int) -> None:
    house.desk = replace(house.desk, settings=house.desk.settings.model_copy(update={"limits": Limits(**limits_)}))


def tried(house: House, email: str, password: str = "wrong", client: str = THIEF) -> str:
    try:
        password_sign_in.begin(house.desk, email, password, client)
    except (Invalid, TooMany) as error:
        return error.key if isinstance(error, TooMany) else error.faults[0].key
    return "right"


# --- the way in


def test_password_then_code_begin_a_session(house: House) -> None:
    mine = owner(house)
    cookie = mine.sign_in()
    assert access.person_of_cookie(house.desk, cookie) == mine.person


def test_half_signed_in_is_not_signed_in(house: House) -> None:
    """B08."""
    mine = owner(house)
    half = mine.half()
    assert access.person_of_cookie(house.desk, half) is None
    assert access.caller_of_bearer(house.desk, half) is None
    with pytest.raises(NotFound):
        access.sign_in(house.desk, half)
    with pytest.raises(NotFound):
        password_sign_in.finish(house.desk, mine.session, mine.next_code())


def test_a_half_sign_in_ends_after_five_minutes_or_five_codes_or_its_use(house: House) -> None:
    """B03."""
    mine = owner(house)
    half = mine.half()
    for _ in range(5):
        with pytest.raises(Invalid):
            password_sign_in.finish(house.desk, half, "123 456")
    with pytest.raises(NotFound):
        password_sign_in.finish(house.desk, half, mine.next_code())
    half = mine.half()
    house.clock.forward(minutes=5)
    with pytest.raises(NotFound):
        password_sign_in.finish(house.desk, half, mine.code())
    half = mine.half()
    assert password_sign_in.finish(house.desk, half, mine.code())
    with pytest.raises(NotFound):
        password_sign_in.finish(house.desk, half, mine.next_code())


def test_a_code_is_accepted_once_and_no_older_one_after_it(house: House) -> None:
    mine = owner(house)
    house.clock.forward(minutes=2)
    earlier, used = mine.code(seconds=-30), mine.code()
    assert password_sign_in.finish(house.desk, mine.half(), used)
    for code in (used, earlier):
        with pytest.raises(Invalid):
            password_sign_in.finish(house.desk, mine.half(), code)


@pytest.mark.parametrize(("seconds", "works"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_wrong_by_one_step(house: House, seconds: int, works: bool) -> None:
    mine = owner(house)
    house.clock.forward(minutes=5)
    half, code = mine.half(), mine.code(seconds=seconds)
    if works:
        assert password_sign_in.finish(house.desk, half, f" {code[:3]} {code[3:]} ")
    else:
        with pytest.raises(Invalid):
            password_sign_in.finish(house.desk, half, code)


@pytest.mark.parametrize("code", ["", "0", "١٢٣٤٥٦", "x" * 10_000, "\x00", "-" * 19, "12345678901234567890"])
def test_what_is_no_code_is_a_wrong_one(house: House, code: str) -> None:
    mine = owner(house)
    with pytest.raises(Invalid):
        password_sign_in.finish(house.desk, mine.half(), code)


def test_a_hash_of_older_costs_is_made_anew_at_the_next_sign_in(house: House) -> None:
    from argon2 import PasswordHasher

    mine = owner(house)
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    with house.desk.store.write() as db:
        db.execute(t.passwords.update().values(password_hash=cheap))
    assert mine.sign_in()
    with house.desk.store.read() as db:
        held = str(db.scalar(t.passwords.select().with_only_columns(t.passwords.c.password_hash)))
    assert not passwords.is_outdated(held)
    assert mine.sign_in()


def finish_with(desk: Desk, number: int) -> str:
    """With one of two half sign-ins and the same code."""
    halves, code = (desk.settings.server.secret_key_file.parent / "halves").read_text().split("\n", 1)
    try:
        password_sign_in.finish(desk, halves.split()[number % 2], code)
    except (Invalid, NotFound):
        return "refused"
    return "signed in"


def test_one_code_begins_one_session_however_many_use_it(house: House, tmp_path: Path) -> None:
    """B03: also from two half sign-ins, in several processes at once."""
    mine = owner(house)
    house.clock.forward(seconds=30)
    (tmp_path / "halves").write_text(f"{mine.half()} {mine.half()}\n{mine.code()}")
    said = processes.all_at_once(finish_with, house.desk.settings, house.clock.time, 6, tmp_path / "said")
    assert sorted(said) == ["refused"] * 5 + ["signed in"]


# --- guessing


def test_a_thousand_guesses_meet_growing_delays_and_the_owner_signs_in_all_the_same(house: House) -> None:
    """B03."""
    mine = owner(house)
    outcomes, waits = [], []
    for _ in range(1000):
        try:
            password_sign_in.begin(house.desk, mine.person.email, "wrong", THIEF)
        except Invalid:
            outcomes.append(house.clock.time)
        except TooMany as refused:
            waits.append(refused.retry_after)
        house.clock.forward(seconds=10)
    assert len(outcomes) < 20  # of 1,000, in almost three hours
    assert waits[0] < waits[-1] <= 3600
    gaps = [later - earlier for earlier, later in pairwise(outcomes[4:])]
    assert gaps == sorted(gaps)
    assert mine.sign_in()  # from home
    access.ask_for_link(house.desk, mine.person.email)
    assert house.outbox(kind="sign-in")
    assert tried(house, mine.person.email, PASSWORD) == "too-many-passwords"  # the thief's network still waits


def test_a_right_password_forgets_the_wrong_ones_of_its_client(house: House) -> None:
    mine = owner(house)
    for _ in range(3):
        for _ in range(4):
            assert tried(house, mine.person.email, client=HOME) == "wrong-password"
        assert mine.half()


def test_the_wait_is_told_and_over_then(house: House) -> None:
    email = owner(house).person.email
    assert [tried(house, email) for _ in range(5)] == ["wrong-password"] * 5
    with pytest.raises(TooMany) as refused:
        password_sign_in.begin(house.desk, email, PASSWORD, THIEF)
    assert refused.value.retry_after == 15
    house.clock.forward(seconds=15)
    assert tried(house, email, PASSWORD) == "right"


def test_delays_grow_up_to_an_hour_and_are_forgotten_after_a_day(house: House) -> None:
    assert [limits.delay_after(n).total_seconds() for n in range(4, 10)] == [0, 15, 30, 60, 120, 240]
    assert limits.delay_after(10**6) == timedelta(hours=1)
    for _ in range(5):
        tried(house, "a@b.example")
    house.clock.forward(hours=24)
    assert [tried(house, "a@b.example") for _ in range(4)] == ["wrong-password"] * 4
    with house.desk.store.read() as db:
        assert len(db.execute(t.delays.select()).all()) == 1


@pytest.mark.parametrize("spelled", [str.upper, lambda e: f" {e} ", lambda e: e.replace("gwangjin", "GwangJin")])
def test_the_same_address_spelled_otherwise_waits_too(house: House, spelled) -> None:  # type: ignore[no-untyped-def]
    """B04."""
    email = owner(house).person.email
    for _ in range(5):
        tried(house, email)
    assert tried(house, spelled(email), PASSWORD) == "too-many-passwords"


def test_addresses_that_only_look_alike_do_not_reach_the_account(house: House) -> None:
    """B04: nobody gets further tries at an account by writing its address with dots, a plus or other letters."""
    email = owner(house).person.email
    local, _, domain = email.partition("@")
    dotted, wide = f"{local[:3]}.{local[3:]}@{domain}", email.replace("i", "ｉ", 1)
    for other in (f"{local}+1@{domain}", dotted, wide):
        assert tried(house, other, PASSWORD) == "wrong-password"


def test_a_client_that_tries_many_addresses_is_stopped(house: House) -> None:
    """B03, B04."""
    limited(house, wrong_passwords_per_hour=6)
    mine = owner(house)
    said = [tried(house, f"desk{n}@gwangjin.example") for n in range(8)]
    assert said == ["wrong-password"] * 6 + ["too-many-passwords"] * 2
    assert mine.half()
    for _ in range(10):  # right passwords do not count
        assert mine.half()


def test_guesses_at_one_address_from_everywhere_are_stopped_and_the_link_works(house: House) -> None:
    """B03, B04."""
    limited(house, wrong_passwords_per_address=6)
    mine = owner(house)
    said = [tried(house, mine.person.email, client=f"198.51.100.{n}") for n in range(8)]
    assert said == ["wrong-password"] * 6 + ["too-many-passwords"] * 2
    assert access.person_of_cookie(house.desk, mine.session) == mine.person
    assert visitor(house).session
    house.clock.forward(hours=1)
    assert mine.half()


def test_codes_are_limited_for_somebody_who_knows_the_password(house: House) -> None:
    """B03: new half sign-ins bring no new tries for ever; the right code waits too, the link does not."""
    limited(house, wrong_codes_per_hour=7)
    mine = owner(house)
    refused = 0
    for _ in range(3):
        half = mine.half()
        for _ in range(5):
            try:
                password_sign_in.finish(house.desk, half, "000000")
            except TooMany:
                refused += 1
            except Invalid:
                pass
    assert refused == 8
    with pytest.raises(TooMany):
        mine.sign_in()
    assert visitor(house).session
    house.clock.forward(hours=1)
    assert mine.sign_in()


def guess(desk: Desk, number: int) -> str:
    try:
        password_sign_in.begin(desk, "international@gwangjin.example", f"wrong {number}", THIEF)
    except TooMany:
        return "must wait"
    except Invalid:
        return "wrong"
    return "right"


def test_guesses_at_once_in_several_processes_share_the_delay(house: House, tmp_path: Path) -> None:
    """B04: a process that was just started knows of the failures too."""
    owner(house)
    said = processes.all_at_once(guess, house.desk.settings, house.clock.time, 8, tmp_path / "said")
    assert sorted(said) == ["must wait"] * 3 + ["wrong"] * 5
    assert tried(house, "international@gwangjin.example") == "too-many-passwords"


def test_only_a_few_hashes_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_WAIT_SECONDS", 0.01)
    with passwords._place(), passwords._place(), pytest.raises(Busy) as error:
        passwords.hashed(PASSWORD)
    assert error.value.key == "too-many-at-once"
    assert passwords.is_right(PASSWORD, passwords.hashed(PASSWORD))


# --- what is told


@pytest.mark.usefixtures("costly_passwords")
def test_what_is_compared_without_a_password_costs_as_much() -> None:
    assert passwords.is_outdated(passwords._NOBODYS) is False
    assert passwords.is_right("of nobody", "") is False


@pytest.mark.usefixtures("costly_passwords")
def test_known_and_unknown_addresses_are_answered_after_the_same_time(house: House) -> None:
    """B05: a hash is computed for every address, whether there is one to compare with or not."""
    limited(house, wrong_passwords_per_hour=10_000)
    mine = owner(house)
    without = house.person("ulaanbaatar").email
    took: dict[str, list[float]] = {mine.person.email: [], without: [], "nobody@gwangjin.example": []}
    for number in range(7):
        for email, times in took.items():
            began = time.perf_counter()
            assert tried(house, email, client=f"198.51.100.{number}") == "wrong-password"
            times.append(time.perf_counter() - began)
    known, *others = (statistics.median(times) for times in took.values())
    for other in others:
        assert known / 2 < other < known * 2, took


def test_half_sign_ins_are_kept_as_hashes(house: House) -> None:
    half = owner(house).half()
    with house.desk.store.read() as db:
        (row,) = db.execute(t.half_sign_ins.select()).all()
    assert row.token_hash == tokens.hashed(half)
    assert half not in repr(row)
