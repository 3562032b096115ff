"""What the mails are made of: the MIME tree, headers that nobody can forge, one recipient, the same bytes always."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import getaddresses, parsedate_to_datetime

import ical.calendar_stream
import pytest
import vobject
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scheduler.core.errors import Invalid
from scheduler.core.meeting import Occasion
from scheduler.core.words import LANGUAGES, Wording, clean_line, clean_text
from scheduler.mail import mime, proof
from scheduler.mail.compose import self_test
from scheduler.mail.proof import HEADER_NAMES, HOSTILE_ADDRESSES, HOSTILE_TEXTS
from scheduler.mail.render import SUBJECT_LIMIT
from scheduler.paths import PACKAGE
from tests.mail import samples
from tests.mail.reading import calendar, decoded, header_lines, header_names, html, parsed, plain, tree

FIRST = [name for name in HEADER_NAMES if name not in ("In-Reply-To", "References")]


def method_of(occasion):
    return "CANCEL" if occasion in (Occasion.CANCELLED, Occasion.REMOVED) else "REQUEST"


# -- structure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("occasion", list(Occasion))
def test_the_tree_is_that_of_an_imip_mail(occasion, language):
    mail = samples.mail(occasion, samples.invitation(language))
    message = parsed(mail)
    assert tree(message) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/html", "text/calendar"]), "application/ics"],
    )
    inline, file = list(message.walk())[-2:]
    assert inline.get_param("method") == method_of(occasion)
    assert inline.get_param("charset") == "UTF-8"
    assert inline.get_content_disposition() is None
    assert file.get_param("method") is None
    assert file.get_filename() == "invite.ics"
    assert file.get_content_disposition() == "attachment"
    data = calendar(mail)
    assert file.get_payload(decode=True) == data
    assert f"METHOD:{method_of(occasion)}\r\n".encode() in data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert {p["Content-Transfer-Encoding"] for p in (inline, file)} == {"base64"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("occasion", list(Occasion))
def test_independent_readers_find_the_invitee_and_our_token_address(occasion, language):
    to = samples.invitation(language)
    data = calendar(samples.mail(occasion, to))
    event = vobject.readOne(data.decode()).vevent
    assert event.organizer.value == f"mailto:{samples.addressed(to).reply_address}"
    assert event.attendee.value == f"mailto:{to.invitee.email}"
    (read,) = ical.calendar_stream.IcsCalendarStream.calendar_from_ics(data.decode()).events
    assert read.uid == samples.meeting().uid
    assert read.summary.startswith(samples.TITLE.read_in(language))


def test_notices_and_sign_in_mails_are_text_twice():
    for mail in (samples.notice("answered"), samples.sign_in()):
        assert tree(parsed(mail)) == ("multipart/alternative", ["text/plain", "text/html"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_are_short_ascii_and_end_in_crlf(language):
    for mail in samples.everything(language).values():
        content = mail.content
        assert content.isascii()
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
        assert max(map(len, content.split(b"\r\n"))) <= 78


def test_lines_of_dots_come_back_as_they_were():
    agenda = ".\n..\n.hidden\n\nFrom the city\n" + "x" * 2000
    mail = samples.mail(to=samples.invitation("en"), about=samples.meeting(agenda=Wording.of(agenda, lines=True)))
    assert clean_text(agenda) in plain(mail)
    assert b"\r\n.\r\n" not in mail.content


# -- headers -----------------------------------------------------------------------------------------------------------


def test_a_first_invitation_has_exactly_these_headers():
    mail = samples.mail(to=samples.invitation("en"))
    assert header_names(mail) == FIRST
    message = parsed(mail)
    assert message["From"] == "Sister City Meetings <meetings+tokenen@meet.example>"
    assert message["To"] == "Interpreters' desk <interpreters@ulaanbaatar.example>"
    assert message["Date"] == "Tue, 01 Sep 2026 01:02:03 +0000"
    assert parsedate_to_datetime(message["Date"]) == samples.NOW
    assert message["Message-ID"] == "<m1@meet.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, DR, RN, NRN, AutoReply"
    assert message["X-Scheduler"] == "meet.example"


def test_bounces_come_to_the_token_address_and_notices_never_bounce():
    assert samples.mail(to=samples.invitation("ko")).envelope_from == "meetings+tokenko@meet.example"
    assert samples.notice("answered").envelope_from == ""
    assert samples.sign_in().envelope_from == "meetings@meet.example"
    assert parsed(samples.notice("stale"))["From"] == "Sister City Meetings <meetings@meet.example>"


def test_later_mails_stand_in_the_thread_of_the_first():
    mail = samples.mail(Occasion.MOVED, samples.invitation("en"), thread=("<a@meet.example>", "<b@meet.example>"))
    assert header_names(mail) == list(HEADER_NAMES)
    assert parsed(mail)["In-Reply-To"] == "<b@meet.example>"
    assert parsed(mail)["References"].split() == ["<a@meet.example>", "<b@meet.example>"]


def test_the_date_is_utc_whatever_the_zone_of_the_moment():
    moment = datetime(2026, 3, 2, 14, 30, tzinfo=timezone(timedelta(hours=9)))
    assert mime.date(moment) == "Mon, 02 Mar 2026 05:30:00 +0000"


# -- hostile input -----------------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=300),
    st.sampled_from(HOSTILE_TEXTS),
    st.lists(
        st.sampled_from(
            ["=?utf-8?q?", "?=", "=0d=0aBcc:", "\r", "\n", "\r\n", '"', "\\", "<", ">", ",", ";", "회", " "]
        ),
        max_size=40,
    ).map("".join),
)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def encodable(text):
    return text.encode("utf-8", "ignore").decode()


@SETTINGS
@given(name=TEXTS, title=TEXTS, agenda=TEXTS, reason=TEXTS, sender=TEXTS, occasion=st.sampled_from(list(Occasion)))
@example("=?utf-8?q?hi=0d=0aBcc:_v@x?=", "=?utf-8?q?hi=0d=0aBcc:_v@x?=", "", "", "\r\nBcc: v@x", Occasion.INVITATION)
def test_no_input_becomes_a_header_or_a_part(name, title, agenda, reason, sender, occasion):
    to = samples.invitation("en", invitee=replace(samples.PEOPLE["en"], name=name))
    about = samples.meeting(
        title=Wording((("und", title),)), agenda=Wording((("und", agenda),)), cancel_reason=reason, video_url=title
    )
    told = replace(samples.message(occasion, to), meeting=about, previous=None)
    mail = samples.mail_of(told, replace(samples.SENDER, from_name=sender))
    assert header_names(mail) == FIRST
    assert str(parsed(mail)["Subject"]) == mail.subject == clean_line(mail.subject)
    assert len(mail.subject) <= SUBJECT_LIMIT
    values = dict(line.split(": ", 1) for line in header_lines(mail))
    assert getaddresses([values["To"]])[0][1] == to.invitee.email
    assert getaddresses([values["From"]])[0][1] == samples.addressed(to).reply_address
    assert decoded(getaddresses([values["To"]])[0][0]) == encodable(clean_line(name))
    assert len(tree(parsed(mail))[1]) == 2
    if occasion is Occasion.INVITATION:
        assert clean_text(encodable(agenda)).split("\n")[0].strip() in plain(mail)


@SETTINGS
@given(comment=TEXTS, by=TEXTS, detail=TEXTS, kind=st.sampled_from(samples.NOTICES))
def test_no_input_of_a_notice_becomes_a_header_or_a_tag(comment, by, detail, kind):
    person = samples.invitation("tr", comment=comment, answered_by=by, status="declined")
    mail = samples.notice(kind, "en", invitation=person, detail=detail)
    assert header_names(mail) == FIRST
    template = html(samples.notice(kind, "en", invitation=person, detail=""))
    assert set(re.findall(r"<[a-z/!][^ >]*", html(mail))) <= {
        *re.findall(r"<[a-z/!][^ >]*", template),
        *("<br", "<tr", "<td", "<bdi", "</tr", "</td", "</bdi"),
    }


@SETTINGS
@given(TEXTS)
def test_a_free_text_header_reads_back_as_typed(text):
    value = mime.unstructured("Subject", text)
    assert decoded(re.sub(r"\r\n(?= )", "", value)) == encodable(clean_line(text))
    assert max(len(line) for line in f"Subject: {value}".split("\r\n")) <= 78


@pytest.mark.parametrize(
    "address",
    [
        *HOSTILE_ADDRESSES,
        "",
        "a",
        "@x.example",
        "a@",
        "a@b@x.example",
        "a b@x.example",
        "a@x.example,",
        "<a@x.example>",
        "A <a@x.example>",
        '"a,b"@x.example',
        "a@x.example (comment)",
        "a@-x.example",
        "김@x.example",
        "a@x.example\x00",
        "a@x.example\n",
        "a@" + "x" * 260 + ".example",
    ],
)
def test_a_recipient_is_exactly_one_address_or_refused(address):
    with pytest.raises(Invalid):
        mime.address(address)
    to = samples.invitation("en", invitee=replace(samples.PEOPLE["en"], email=address))
    with pytest.raises(Invalid):
        samples.mail(to=to)


@SETTINGS
@given(st.emails())
def test_an_ordinary_address_is_the_only_recipient(address):
    if "=?" in address or not re.fullmatch(r"[\w.+-]+@[\w.-]+", address, re.ASCII):
        return
    to = samples.invitation("en", invitee=replace(samples.PEOPLE["en"], email=address))
    mail = samples.mail(to=to)
    assert mail.recipient == address
    values = dict(line.split(": ", 1) for line in header_lines(mail))
    assert [a for _, a in getaddresses([values["To"]])] == [address]


@pytest.mark.parametrize("wrong", ["", "a", "<a>", "<a@b>\r\nBcc: <c@d>", "<a@b> <c@d>", "<=?utf-8?q?a?=@b c>"])
def test_a_message_id_is_one_or_refused(wrong):
    with pytest.raises(ValueError, match="Message-ID"):
        mime.message_ids([wrong])


def test_the_proof_at_start_holds():
    self_test()


def test_the_proof_at_start_fails_with_a_composer_that_lets_text_through(monkeypatch):
    monkeypatch.setattr(mime, "unstructured", lambda name, text: text)
    with pytest.raises(RuntimeError, match="become a header"):
        self_test()
    monkeypatch.undo()
    monkeypatch.setattr(mime, "_is_plain", lambda text: text.isascii() and text.isprintable())
    with pytest.raises(RuntimeError, match=r"read back|become a header|change the address"):
        self_test()
    monkeypatch.undo()
    monkeypatch.setattr(mime, "address", lambda text: text)
    with pytest.raises(RuntimeError, match="as a recipient"):
        proof.self_test()


# -- the same bytes always ---------------------------------------------------------------------------------------------

DIGEST = """
import hashlib
from scheduler.core.words import LANGUAGES
from tests.mail import samples
found = hashlib.sha256()
for language in LANGUAGES:
    for mail in samples.everything(language).values():
        found.update(mail.content)
print(found.hexdigest())
"""


def test_the_bytes_depend_on_nothing_but_the_arguments():
    hosts = [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Seoul", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Santiago", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    ]
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=PACKAGE.parent,
            env={"PATH": os.environ["PATH"], **host},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for host in hosts
    }
    assert len(digests) == 1


def test_another_boundary_changes_nothing_but_the_boundary():
    one = samples.mail(to=samples.invitation("tr")).content
    marks = set(re.findall(rb'boundary="(=_[0-9a-f]{32})"', one))
    assert len(marks) == 2
    assert all(one.count(mark) >= 4 for mark in marks)
    assert samples.mail(to=samples.invitation("tr")).content == one


def test_the_clock_of_the_mail_is_its_dtstamp():
    mail = samples.mail(Occasion.CANCELLED)
    assert b"DTSTAMP:20260901T010203Z" in calendar(mail)
    assert parsedate_to_datetime(parsed(mail)["Date"]) == datetime(2026, 9, 1, 1, 2, 3, tzinfo=UTC)
