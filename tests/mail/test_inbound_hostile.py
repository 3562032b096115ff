"""Mail that is written to deceive, to crash or to exhaust the reader."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scheduler.core.words import clean_line, clean_text
from scheduler.mail.inbound import InboundMail, Malformed, TooLarge, read_mail

REPLIES = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "data" / "replies").glob("*.eml"))]
OURS = "mx.cities.example"


def read(raw: bytes | str) -> InboundMail:
    data = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
    return read_mail(data, max_bytes=10_000_000, loop_value="cities.example")


def sent_by(*headers: str, authenticated: str = "") -> InboundMail:
    results = f"Authentication-Results: {authenticated}\r\n" if authenticated else ""
    return read(results + "".join(f"From: {header}\r\n" for header in headers) + "\r\nHello\r\n")


# Who wrote it


@pytest.mark.parametrize(
    "header",
    [
        "desk@konya.example",
        "<Desk@Konya.Example>",
        "Konya Desk <desk@konya.example>",
        '"Desk, Konya" <desk@konya.example>',
        "=?utf-8?B?6rSA66as7J6Q?= <desk@konya.example>",
        "=?euc-kr?B?sPy4rsDa?= <desk@konya.example>",
        "관리자 <desk@konya.example>",
        '"desk@konya.example" <desk@konya.example>',
        "Desk <desk@konya.example> (Konya)",
        'Desk\r\n "of (Konya)"\r\n <desk@konya.example>',
    ],
)
def test_an_ordinary_sender_is_believed(header: str) -> None:
    mail = sent_by(header)
    assert mail.sender == "desk@konya.example"
    assert mail.senders == ("desk@konya.example",)


@pytest.mark.parametrize(
    "header",
    [
        "desk@konya.example <b@evil.example>",
        "desk@konya.example, b@evil.example",
        "desk@konya.example(<b@evil.example)",
        '"desk@konya.example" "<b@evil.example',
        "group: desk@konya.example;",
        "<@evil.example:desk@konya.example>",
        "=?utf-8?q?desk=40konya.example?=@evil.example",
        "=?utf-8?q?Desk=0D=0ABcc:_x=40y.example?= <desk@konya.example>",
        "=?utf-8?q?=3Cdesk=40konya.example=3E?=",
        "<desk@konya.example>\x00<b@evil.example>",
        "<desk@konya.example> b@evil.example",
        "desk@konya.example <desk@konya.example>",
        "de\u212ask@konya.example <>",
        '"desk@konya.example"@evil.example',
        "desk@[192.0.2.1]",
        "\udcff\udcfe@konya.example",
        "undisclosed-recipients:;",
        "",
        "(" * 3000,
        '"' * 4000,
        "a@b.example, " * 2000,
    ],
)
def test_a_doubtful_sender_is_not_believed(header: str) -> None:
    mail = sent_by(header, authenticated=f"{OURS}; dmarc=pass")
    assert mail.sender == ""
    assert not mail.dmarc_pass(OURS)


def test_the_address_in_a_name_is_not_the_sender() -> None:
    for name in ('"desk@konya.example"', "=?utf-8?q?desk=40konya.example=2C?="):
        assert sent_by(f"{name} <b@evil.example>").sender == "b@evil.example"


def test_two_from_headers_are_nobodys() -> None:
    mail = sent_by("desk@konya.example", "b@evil.example")
    assert mail.sender == ""
    assert mail.senders == ("desk@konya.example", "b@evil.example")
    assert sent_by("desk@konya.example", "desk@konya.example").sender == ""
    for other in (
        "From : b@evil.example\r\n",
        "To: x\rfrom: b@evil.example\r\n",
        "From\t: b@evil.example\r\nTo: x\r\n",
    ):
        assert read(f"From: desk@konya.example\r\n{other}\r\n").sender == ""
    assert read("Subject: x\r\nFrom: desk@konya.example\r\n\r\nFrom: you\r\n").sender == "desk@konya.example"


def test_letters_that_only_look_alike_are_not_folded_into_one_another() -> None:
    assert sent_by("des\u212a@konya.example").sender == ""  # the Kelvin sign


# Authentication-Results


@pytest.mark.parametrize(
    "results",
    [
        f"{OURS}; dmarc=pass header.from=konya.example",
        f"{OURS}; dmarc=pass",
        f"{OURS.upper()} 1; spf=fail smtp.mailfrom=x.example; dmarc=PASS (p=reject) header.from=Konya.Example",
        f"{OURS};\r\n dkim=pass header.b=a/b=;\r\n dmarc=pass action=none header.from=konya.example",
    ],
)
def test_our_own_servers_word_counts(results: str) -> None:
    assert sent_by("desk@konya.example", authenticated=results).dmarc_pass(OURS)


@pytest.mark.parametrize(
    "results",
    [
        "",
        "none",
        f"{OURS}; none",
        f"{OURS}; dmarc=fail header.from=konya.example",
        f"{OURS}; dmarc=none",
        f"{OURS}; spf=pass smtp.mailfrom=konya.example; dkim=pass header.d=konya.example",
        f"{OURS}; dmarc=pass header.from=evilkonya.example",
        f"{OURS}; dmarc=pass header.from=sub.konya.example",
        f"{OURS}; dmarc=pass header.from=konya.example.evil.example",
        f"{OURS}; dmarc=pass header.from=konya.example header.from=evil.example",
        f"{OURS}; dmarc=fail; dmarc=pass header.from=konya.example",
        f"{OURS}; dmarc=pass; dmarc=pass",
        f"{OURS}; dmarc=fail (; dmarc=pass header.from=konya.example",
        f'{OURS}; spf=fail reason="; dmarc=pass header.from=konya.example"',
        f"{OURS}; spf=fail (dmarc=pass header.from=konya.example)",
        f"{OURS}; x-dmarc=pass header.from=konya.example",
        f"{OURS}; dmarc=passed header.from=konya.example",
        f"evil-{OURS}; dmarc=pass header.from=konya.example",
        f"{OURS}.evil.example; dmarc=pass header.from=konya.example",
        f"x{OURS[1:]}; dmarc=pass header.from=konya.example",
        f"{OURS}; dmarc=pass " + "(" * 3000,
        f"{OURS}; dmarc=pass " + "x" * 9000,
    ],
)
def test_anything_unclear_is_a_no(results: str) -> None:
    assert not sent_by("desk@konya.example", authenticated=results).dmarc_pass(OURS)


def test_only_the_topmost_results_count() -> None:
    forged = f"Authentication-Results: {OURS}; dmarc=pass header.from=konya.example\r\n"
    honest = f"Authentication-Results: {OURS}; dmarc=fail header.from=konya.example\r\n"
    rest = "From: desk@konya.example\r\n\r\n"
    assert not read(honest + forged + rest).dmarc_pass(OURS)
    assert read(forged + honest + rest).dmarc_pass(OURS)


def test_without_a_server_of_our_own_nothing_is_authenticated() -> None:
    assert not sent_by("desk@konya.example", authenticated="; dmarc=pass").dmarc_pass("")


# Exhaustion


def nested(count: int, kind: str = "mixed") -> bytes:
    parts = (b"Content-Type: multipart/%s; boundary=b%d\n\n--b%d\n" % (kind.encode(), n, n) for n in range(count))
    return b"From: a@b.example\n" + b"".join(parts) + b"\nx\n"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (nested(5_000), "too deeply nested"),
        (nested(22), "too deeply nested"),
        (nested(5_000, "digest"), "too deeply nested"),
        (b"From: a@b.example\n" + b"Content-Type: message/rfc822\n\n" * 5_000, "too deeply nested"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 100_000, "too many parts"),
        (b"Content-Type: message/delivery-status\n\n" + b"a:b\n\n" * 100_000, "too many parts"),
        (b"A: b\n" * 100_000, "too many headers"),
        (b"A: " + b"b" * 1_100_000 + b"\n\n", "too many headers"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b\n" + b"A: b\n" * 900) * 150, None),
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b\nA: " + b"b" * 9_000 + b"\n") * 150,
            "too many headers",
        ),
        (b'Content-Type: text/plain; x="' + b";" * 900_000 + b'"\n\n', "a header is too long"),
        (b"Content-Disposition: " + b"x" * 9_000 + b"\n\n", "a header is too long"),
        (b"From: a@b.example\n\n" + b"\n" * 9_000_000, "too many lines"),
        (b"From: a@b.example\n\n" + b"\r" * 9_000_000, "too many lines"),
    ],
    ids=range(14),
)
def test_what_is_too_much_is_set_aside_quickly(raw: bytes, reason: str | None) -> None:
    began = time.monotonic()
    if reason:
        with pytest.raises(Malformed) as error:
            read(raw)
        assert error.value.reason == reason
    else:
        read(raw)
    assert time.monotonic() - began < 5  # far above what it takes; minutes without the limits


@pytest.mark.parametrize(
    "bait",
    ["<a ", "<!--", "<", "</", "<a b='", "<![", "<?", "<script>", "&", "&#" + "9" * 5000 + ";", '\\"', "(\\(", '"\\'],
)
def test_no_text_makes_reading_slow(bait: str) -> None:
    body = bait * (100_000 // len(bait))
    header = bait * (20_000 // len(bait))
    began = time.monotonic()
    read(f"From: {header}\r\nTo: {header}\r\nSubject: {header}\r\nContent-Type: text/html\r\n\r\n{body}")
    assert time.monotonic() - began < 5


def test_an_odd_html_body_does_not_cost_the_calendar_beside_it() -> None:
    parts = "--b\r\nContent-Type: text/html\r\n\r\n<![ <a &#99999999999999999999999; \r\n"
    parts += "--b\r\nContent-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\n--b--\r\n"
    mail = read(f"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}")
    assert [part.method for part in mail.calendars] == ["REPLY"]


# Anything


def assert_safe(mail: InboundMail) -> None:
    for value in texts(mail):
        value.encode()
        assert clean_text(value) == value
        assert len(value) <= 5_000
    for line in (mail.subject, mail.message_id, mail.sender, mail.authentication, *mail.senders, *mail.recipients):
        assert clean_line(line) == line
    assert all(part.method == part.method.upper() for part in mail.calendars)
    mail.dmarc_pass(OURS)


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for item in value for text in texts(item)]
    if dataclasses.is_dataclass(value):
        return [text for field in dataclasses.fields(value) for text in texts(getattr(value, field.name))]
    return []


def try_reading(raw: bytes) -> None:
    try:
        mail = read_mail(raw, max_bytes=100_000, loop_value="cities.example")
    except (Malformed, TooLarge):
        return
    assert_safe(mail)


FUZZ = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
NAMES = (
    *("From", "To", "Delivered-To", "Subject", "Message-ID", "Date", "Received", "Return-Path", "Auto-Submitted"),
    *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Authentication-Results", "X-Scheduler"),
)
BAITS = (
    *(
        "=?utf-8?q?=0D=0Ax?=",
        "=?utf-7?q?+2AAAAA-?=",
        "=?x?b?!!!?=",
        "=?utf-8?b?/w==?=",
        "\r\n ",
        "\x00",
        "\udcff",
        "\u2028",
    ),
    *("<", ">", "(", ")", '"', "\\", ",", ";", ":", "@", "=", "a@b.example", "multipart/mixed; boundary=b", "base64"),
    *("text/calendar; method*=utf-8''%FF", "charset=utf-7", "charset*0*=x'y'%00", "name*1=b; name*0=a", "text/html"),
    *(
        "text/plain; charset=unicode_escape",
        "message/delivery-status",
        "uuencode",
        "mx.cities.example; dmarc=pass",
        "\n",
    ),
    *("multipart/report", "message/rfc822", "Mon, 23 Nov 2026 09:00:00 +9999999999", "1e99", "\U0001f600", "\ud800"),
)


@FUZZ
@given(st.binary(max_size=400))
@example(b"Subject: =?utf-7?q?+2AA-?=\n\n")
@example(b"Content-Type: text/plain; charset=utf-7\n\n+2AA-")
@example(b"From: =?utf-8?q?=0d=0a?= <a@b>\n\n")
def test_any_bytes_are_read_or_set_aside(raw: bytes) -> None:
    try_reading(raw)
    try_reading(b"From: " + raw)


@FUZZ
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(BAITS), max_size=6)), min_size=1, max_size=8),
    st.lists(st.sampled_from((*BAITS, "--b\r\n", "--b--\r\n", "\r\n", "begin 666 x\r\n", *(f"{n}: " for n in NAMES)))),
)
def test_any_headers_are_read_or_set_aside(headers: list[tuple[str, list[str]]], body: list[str]) -> None:
    head = "".join(f"{name}: {''.join(value)}\r\n" for name, value in headers)
    try_reading((head + "\r\n" + "".join(body)).encode("utf-8", "surrogatepass"))


@FUZZ
@given(
    st.sampled_from(REPLIES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(BAITS) | st.text(max_size=4)), max_size=12),
)
def test_a_damaged_reply_is_read_or_set_aside(raw: bytes, damages: list[tuple[float, int, str]]) -> None:
    for place, length, bait in damages:
        at = int(place * len(raw))
        raw = raw[:at] + bait.encode("utf-8", "surrogatepass") + raw[at + length :]
    try_reading(raw)
