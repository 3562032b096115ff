"""What a received mail says: the shapes that real mail programs and servers send."""

from __future__ import annotations

from base64 import encodebytes
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler.mail import inbound
from scheduler.mail.inbound import InboundMail, Malformed, TooLarge, read_mail, token_in, token_of

REPLIES = Path(__file__).parents[1] / "data" / "replies"
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n"
BASE = "meet@cities.example"


def read(raw: bytes | str, **options: int) -> InboundMail:
    data = raw.encode() if isinstance(raw, str) else raw
    return read_mail(data, **{"max_bytes": 10_000_000, "loop_value": "cities.example", **options})


def letter(*headers: str, body: str = "Hello") -> InboundMail:
    return read("\r\n".join(["From: desk@konya.example", *headers, "", body]))


def multipart(*parts: str, kind: str = "mixed", headers: str = "") -> InboundMail:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts)
    head = f"From: desk@konya.example\r\n{headers}Content-Type: multipart/{kind}; boundary=b\r\n\r\n"
    return read(f"{head}{body}--b--\r\n")


def calendar(kind: str = "text/calendar", extra: str = "", content: str = ICS) -> str:
    return f"Content-Type: {kind}\r\n{extra}\r\n{content}"


# Real replies


@pytest.mark.parametrize("path", sorted(REPLIES.glob("*.eml")), ids=lambda path: path.stem)
def test_a_reply_of_thunderbird_is_read_whole(path: Path) -> None:
    mail = read(path.read_bytes())
    assert mail.sender == "bat@ub.example"
    assert mail.senders == ("bat@ub.example",)
    assert mail.message_id.endswith("@ub.example>")
    assert mail.date in (datetime(2026, 11, 22, 5, 16, second, tzinfo=UTC) for second in (9, 10))
    assert "bat@ub.example" in mail.text
    assert token_of(mail.recipients, BASE) in [
        ("meet+k7q2x9@cities.example", "k7q2x9"),
        ("meet+k7q@cities.example", "k7q"),
    ]
    [part] = mail.calendars
    assert (part.method, part.content_type) == ("REPLY", "text/calendar")
    assert part.content.startswith(b"BEGIN:VCALENDAR")
    assert part.content.rstrip().endswith(b"END:VCALENDAR")
    assert "Бат-Эрдэнэ" in part.content.decode()
    assert mail.report is None
    flags = ("auto_submitted", "loop", "null_return_path", "tnef", "encrypted", "forwarded", "oversize")
    assert not [flag for flag in flags if getattr(mail, flag)]


def test_a_subject_in_several_encoded_words_is_one_text() -> None:
    mail = read((REPLIES / "single-accepted.eml").read_bytes())
    assert mail.subject == "Accepted: Хот хоорондын уулзалт — 도시 교류"


# Calendar parts


def test_the_same_calendar_as_alternative_and_as_attachment_counts_once_with_its_method() -> None:
    encoded = encodebytes(ICS.encode()).decode().replace("\n", "\r\n")
    attached = calendar("application/ics; name=invite.ics", "Content-Transfer-Encoding: base64\r\n", encoded)
    mail = multipart(attached, calendar("text/calendar; method=reply"))
    assert [(part.method, part.content_type) for part in mail.calendars] == [("REPLY", "text/calendar")]


def test_equal_content_under_two_methods_stays_two() -> None:
    mail = multipart(calendar("text/calendar; method=REPLY"), calendar("text/calendar; method=REQUEST"), calendar())
    assert sorted(part.method for part in mail.calendars) == ["REPLY", "REQUEST"]


def test_different_calendars_stay_two() -> None:
    assert len(multipart(calendar(), calendar(content=ICS.replace("REPLY", "COUNTER"))).calendars) == 2


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: text/calendar",
        "Content-Type: TEXT/Calendar; charset=utf-8; METHOD=REPLY",
        "Content-Type: application/ics",
        'Content-Type: application/octet-stream; name="Invite.ICS"',
        'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="reply.ics"',
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=utf-8''%ED%9A%8C.ics",
        'Content-Type: application/octet-stream; name="=?utf-8?B?7ZqMLmljcw==?="',
    ],
)
def test_a_calendar_is_found_under_every_name_it_goes_by(head: str) -> None:
    for mail in (read(f"From: a@b.example\r\n{head}\r\n\r\n{ICS}"), multipart(f"{head}\r\n\r\n{ICS}")):
        assert [part.content.strip() for part in mail.calendars] == [ICS.strip().encode()]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("8bit", "SUMMARY:도시 — Şehir\r\n".encode()),
        ("base64", encodebytes("SUMMARY:도시 — Şehir\r\n".encode())),
        ("quoted-printable", b"SUMMARY:=EB=8F=84=EC=8B=9C =E2=80=94 =C5=9Eehir=0D=0A"),
        ("binary", "SUMMARY:도시 — Şehir\r\n".encode()),
    ],
)
def test_the_bytes_of_a_calendar_survive_every_transfer_encoding(encoding: str, content: bytes) -> None:
    head = (
        f"From: a@b.example\r\nContent-Type: text/calendar; charset=us-ascii\r\nContent-Transfer-Encoding: {encoding}"
    )
    [part] = read(head.encode() + b"\r\n\r\n" + content).calendars
    assert part.content.decode().strip() == "SUMMARY:도시 — Şehir"


def test_a_calendar_inside_a_forwarded_mail_is_not_the_senders_word() -> None:
    mail = multipart(
        "Content-Type: text/plain\r\n\r\nPlease see below.",
        f"Content-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nContent-Type: text/calendar\r\n\r\n{ICS}",
        f"Content-Type: message/rfc822; name=invite.ics\r\n\r\nContent-Type: text/calendar\r\n\r\n{ICS}",
    )
    assert mail.calendars == ()
    assert mail.forwarded
    assert mail.text == "Please see below."


def test_a_calendar_beyond_the_limit_is_left_out_and_said() -> None:
    raw = f"From: a@b.example\r\nContent-Type: text/calendar\r\n\r\n{ICS}"
    assert read(raw, max_calendar_bytes=len(ICS)).calendars
    mail = read(raw, max_calendar_bytes=len(ICS) - 1)
    assert mail.oversize
    assert mail.calendars == ()


# What is not to be read by a machine


@pytest.mark.parametrize(
    ("head", "flag"),
    [
        ("Content-Type: application/ms-tnef; name=winmail.dat", "tnef"),
        ("Content-Type: application/octet-stream; name=winmail.dat", "tnef"),
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "encrypted"),
        ("Content-Type: application/x-pkcs7-mime; name=smime.p7m", "encrypted"),
        ("Content-Type: message/rfc822", "forwarded"),
    ],
)
def test_what_cannot_be_read_is_named(head: str, flag: str) -> None:
    for mail in (read(f"From: a@b.example\r\n{head}\r\n\r\nx: y\r\n\r\nAAAA"), multipart(f"{head}\r\n\r\nx: y")):
        named = {name for name in ("tnef", "encrypted", "forwarded") if getattr(mail, name)}
        assert named == {flag}


def test_openpgp_mail_is_encrypted() -> None:
    control = "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1"
    assert multipart(control, "Content-Type: application/octet-stream\r\n\r\nAAAA", kind="encrypted").encrypted


def test_signed_mail_is_not_encrypted() -> None:
    signature = "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nAAAA"
    mail = multipart(calendar(), signature, kind="signed")
    assert not mail.encrypted
    assert len(mail.calendars) == 1


# Automatic mail


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=x@y.example",
        "X-Autoreply: yes",
        "X-Auto-Response-Suppress: All",
        "Precedence: bulk",
        "Precedence: auto_reply",
    ],
)
def test_automatic_mail_is_recognized(header: str) -> None:
    assert letter(header).auto_submitted


@pytest.mark.parametrize("header", ["Auto-Submitted: no", "Auto-Submitted: NO (a person)", "Precedence: first-class"])
def test_a_persons_mail_is_not_automatic(header: str) -> None:
    assert not letter(header).auto_submitted


def test_our_own_mail_is_known_by_its_mark() -> None:
    assert letter("X-Scheduler: cities.example").loop
    assert letter("X-Scheduler: other.example", "X-Scheduler: cities.example").loop
    assert not letter("X-Scheduler: other.example").loop
    assert not read_mail(b"X-Scheduler:\r\n\r\n", max_bytes=100, loop_value="").loop


def test_a_null_return_path_is_recognized() -> None:
    assert letter("Return-Path: <>").null_return_path
    assert letter("Return-Path:  < > ").null_return_path
    assert not letter("Return-Path: <desk@konya.example>").null_return_path
    assert not letter().null_return_path


# Reports

STATUS = """Content-Type: message/delivery-status

Reporting-MTA: dns; mx.konya.example

Final-Recipient: rfc822; other@konya.example
Action: delayed
Status: 4.4.1

Original-Recipient: rfc822;Desk@Konya.example
Final-Recipient: RFC822; Desk@Konya.example
Action: Failed (for good)
Status: 5.1.1 (no such user)
Diagnostic-Code: smtp; 550 5.1.1 unknown
"""
RETURNED = f"Message-ID:\r\n <i7.0@cities.example>\r\nContent-Type: text/calendar\r\n\r\n{ICS}"


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_delivery_report_names_the_failure_and_our_mail(kind: str) -> None:
    mail = multipart(
        "Content-Type: text/plain\r\n\r\nSorry.",
        STATUS.replace("\n", "\r\n"),
        f"Content-Type: {kind}\r\n\r\n{RETURNED}",
        kind="report",
        headers="Return-Path: <>\r\nTo: meet+k7q@cities.example\r\n",
    )
    assert mail.report
    assert (mail.report.kind, mail.report.action, mail.report.status) == ("delivery-status", "failed", "5.1.1")
    assert mail.report.final_recipient == "desk@konya.example"
    assert mail.report.original_message_id == "<i7.0@cities.example>"
    assert mail.null_return_path
    assert mail.auto_submitted
    assert not mail.forwarded
    assert mail.calendars == ()


def test_a_delay_is_not_a_failure() -> None:
    text = STATUS.replace("Failed (for good)", "delayed").replace("\n", "\r\n")
    report = multipart(text, kind="report").report
    assert report
    assert (report.kind, report.action, report.status) == ("delivery-status", "delayed", "4.4.1")


def test_a_read_receipt_is_a_report_of_its_kind() -> None:
    receipt = (
        "Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action/MDN-sent-manually; displayed"
    )
    report = multipart(receipt, kind="report").report
    assert report
    assert report.kind == "disposition-notification"


def test_a_report_of_another_kind_keeps_its_name() -> None:
    text = "Content-Type: text/plain\r\n\r\nx"
    assert multipart(text, kind="report; report-type=feedback-report").report.kind == "feedback-report"  # type: ignore[union-attr]
    assert multipart(text, kind="report").report.kind == "unknown"  # type: ignore[union-attr]


# Addresses and dates


def test_receivers_are_named_in_the_order_that_counts() -> None:
    mail = letter(
        'To: "meet+name@cities.example" <meet+to@cities.example>, Someone <x@y.example> (meet+note@cities.example)',
        "X-Original-To: Meet+Original@Cities.example",
        "Delivered-To: meet+delivered@cities.example",
        "Delivered-To: <second@y.example>",
    )
    assert mail.recipients == (
        "meet+delivered@cities.example",
        "second@y.example",
        "meet+original@cities.example",
        "meet+to@cities.example",
        "x@y.example",
    )
    assert token_of(mail.recipients, BASE) == ("meet+delivered@cities.example", "delivered")


def test_a_server_that_delivers_to_the_bare_mailbox_does_not_hide_the_token() -> None:
    mail = letter("Delivered-To: meet@cities.example", "To: meet+k7q@cities.example")
    assert token_of(mail.recipients, BASE) == ("meet+k7q@cities.example", "k7q")
    assert token_of(letter("Delivered-To: meet@cities.example").recipients, BASE) == ("meet@cities.example", "")
    assert token_of(letter("To: other@cities.example").recipients, BASE) is None
    assert token_of((), BASE) is None


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("meet+k7q@cities.example", "k7q"),
        ("MEET+K7Q@Cities.Example", "k7q"),
        ("meet@cities.example", ""),
        ("meet+@cities.example", ""),
        ("meet+a+b@cities.example", "a+b"),
        ("meet+k7q@cities.example.evil.example", None),
        ("meet+k7q@evilcities.example", None),
        ("meeting+k7q@cities.example", None),
        ("meet", None),
        ("@cities.example", None),
        ("", None),
    ],
)
def test_the_token_of_an_address(address: str, token: str | None) -> None:
    assert token_in(address, BASE) == token
    assert token_in(address, BASE.upper()) == token


def test_received_is_what_our_own_server_wrote_on_top() -> None:
    mail = letter(
        "Received: from a by mx.cities.example (x; y) with ESMTPS id 1;\r\n Mon, 23 Nov 2026 09:00:05 +0900 (KST)",
        "Received: from b by a; Mon, 23 Nov 2026 08:00:00 +0900",
        "Date: Fri, 31 Dec 9999 23:59:59 -1200",
    )
    assert mail.received == datetime(2026, 11, 23, 0, 0, 5, tzinfo=UTC)
    assert mail.date is None


@pytest.mark.parametrize(
    "date", ["", "yesterday", "32 Foo 2026", "1 Jan 0000 00:00:00 +9999", "x" * 5000, "1 2 3 4 5 6"]
)
def test_a_date_that_is_none_is_none(date: str) -> None:
    mail = letter(f"Date: {date}", f"Received: from a by b; {date}")
    assert mail.date is None
    assert mail.received is None


def test_a_date_of_unknown_zone_is_utc() -> None:
    assert letter("Date: Mon, 23 Nov 2026 09:00:00 -0000").date == datetime(2026, 11, 23, 9, tzinfo=UTC)


# Text


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("us-ascii", "utf-8"),
        ("euc-kr", "euc-kr"),
        ("x-unknown", "cp949"),
        ("iso-2022-kr", "iso-2022-kr"),
    ],
)
def test_korean_text_is_read_whatever_the_label(charset: str, encoding: str) -> None:
    head = f"From: a@b.example\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
    assert read(head.encode() + "참석하겠습니다.".encode(encoding)).text == "참석하겠습니다."


def test_turkish_text_in_a_windows_charset_is_read() -> None:
    head = b"From: a@b.example\r\nContent-Type: text/plain; charset=windows-1254\r\n\r\n"
    assert read(head + "Katılacağım, teşekkürler".encode("cp1254")).text == "Katılacağım, teşekkürler"


def test_html_is_reduced_to_its_words() -> None:
    html = (
        "<html><head><title>T</title><style><!-- p {color: red} --></style></head><body>"
        "<p>I&nbsp;cannot come &amp; send <b>Ms Kaya</b>.</p><!-- <p>hidden</p> --><script>alert(1)</script>"
        "<div>Regards<br>The desk</div></body></html>"
    )
    mail = read(f"From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}")
    assert mail.text == "I\u00a0cannot come & send Ms Kaya.\nRegards\nThe desk"


def test_plain_text_comes_before_html_and_attachments_are_not_the_text() -> None:
    mail = multipart(
        "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nattached",
        "Content-Type: text/html\r\n\r\n<p>rich</p>",
        "Content-Type: text/plain\r\n\r\n  \r\n",
        "Content-Type: text/plain\r\n\r\nplain",
    )
    assert mail.text == "plain"


def test_text_is_clean_and_bounded() -> None:
    mail = letter(
        "Subject: a\x00b\u202ec =?utf-8?q?d=0D=0ABcc:_x=00?=" + "y" * 900, body="a\x00\u202eb\r\n" + "x" * 9000
    )
    assert mail.subject.startswith("abc d Bcc: x")
    assert len(mail.subject) <= 500
    assert mail.text.startswith("ab\nx")
    assert len(mail.text) == 2000


# Limits


def test_a_mail_beyond_the_limit_is_too_large() -> None:
    raw = b"From: a@b.example\r\n\r\n" + b"x" * 100
    read(raw, max_bytes=len(raw))
    with pytest.raises(TooLarge):
        read(raw, max_bytes=len(raw) - 1)


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"no header here", b"\x00\xff\xfe"])
def test_what_is_no_mail_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed) as error:
        read(raw)
    assert error.value.reason == "no headers"


def test_a_multipart_without_its_parts_is_malformed() -> None:
    for head in ("multipart/mixed", "multipart/mixed; boundary=b", "multipart/alternative; boundary="):
        with pytest.raises(Malformed):
            read(f"From: a@b.example\r\nContent-Type: {head}\r\n\r\nnothing here\r\n")


def test_a_cut_off_mail_is_read_as_far_as_it_goes() -> None:
    raw = (REPLIES / "single-accepted.eml").read_bytes()
    assert read(raw[: raw.index(b"END:VEVENT")]).calendars[0].method == "REPLY"


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (b"To: b@y.example\r\nFrom: Desk <Desk@X.example>\r\n\r\n", "desk@x.example"),
        (b"FROM:\r\n a@x.example\r\n\r\n", "a@x.example"),
        (b"From: =?utf-8?q?a=0d=0ab?= <a@x.example>\n\n", "a@x.example"),
        (b"Subject: from: a@x.example\r\n\r\n", ""),
        (b"From: \xff\xfe nobody\r\n\r\n", ""),
        (b"", ""),
        (b"from:" * 100_000, ""),
    ],
)
def test_the_claimed_sender_is_good_enough_to_be_counted(raw: bytes, sender: str) -> None:
    assert inbound.claimed_sender(raw) == sender
