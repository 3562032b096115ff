"""What the mails say: every kind in every language, the reader's own clock first, and nothing that is not theirs."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from scheduler import i18n
from scheduler.core.meeting import Invitation, Invitee, Occasion
from scheduler.core.words import LANGUAGES, Wording
from scheduler.mail import render
from scheduler.mail.compose import calendar_text
from scheduler.mail.render import SUBJECT_LIMIT
from tests.mail import samples
from tests.mail.reading import calendar_lines, html, parsed, plain

KINDS = [*map(str, Occasion), *(f"notice-{kind}" for kind in samples.NOTICES), "sign-in"]
REQUESTS = (Occasion.INVITATION, Occasion.MOVED, Occasion.CHANGED, Occasion.RESENT)
CANCELS = (Occasion.CANCELLED, Occasion.REMOVED)
ELSEWHERE = re.compile(r"(?i)<(script|style|link|img|iframe|form|object|embed)\b|url\(|@import|javascript:")


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def mails(language):
    return samples.everything(language)


def test_every_kind_reads_in_every_language_without_a_gap(mails, language):
    assert set(KINDS) <= set(mails)
    for kind, mail in mails.items():
        for text in (mail.subject, plain(mail), html(mail)):
            assert text.strip(), kind
            assert "{" not in text, kind
            assert not re.search(r"\bmail\.[a-z]|None|undefined", text), kind
        assert parsed(mail)["Content-Language"] == language
        assert f'<html lang="{language}">' in html(mail)


def test_the_four_languages_have_the_same_sentences_with_the_same_values():
    catalogues = {lang: {k: v for k, v in i18n.catalogue(lang).items() if k.startswith("mail.")} for lang in LANGUAGES}
    for key, english in catalogues["en"].items():
        wanted = _places(english)
        for lang in LANGUAGES:
            assert _places(catalogues[lang][key]) == wanted, (lang, key)
    assert len({frozenset(c) for c in catalogues.values()}) == 1


def _places(entry):
    forms = entry.values() if isinstance(entry, dict) else [entry]
    return {frozenset(re.findall(r"{(\w+)}", form)) for form in forms}


def test_no_sentence_is_left_over(monkeypatch):
    used = set()
    form = i18n._form
    i18n._fixed_html.cache_clear()
    render._form.cache_clear()
    monkeypatch.setattr(i18n, "_form", lambda lang, key, values: used.add(key) or form(lang, key, values))
    samples.everything("en")
    tables_by_value = re.compile(r"mail\.(change\.|calendar\.busy)")
    left = {key for key in i18n.catalogue("en") if key.startswith("mail.")} - used
    assert not [key for key in left if not tables_by_value.match(key)]


def test_the_subject_names_the_occasion_the_title_and_the_readers_own_time(mails, language):
    subjects = [mails[str(o)].subject for o in Occasion]
    assert len(set(subjects)) == len(Occasion)
    assert all("HH" not in s and re.search(r"\b\d\d:00 \(.+\)$", s) for s in subjects)
    assert samples.TITLE.read_in(language) in mails["invitation"].subject


@pytest.mark.parametrize("title", ["회" * 200, "x" * 200, "<b>&amp; \"q\" 'a'", "🙂" * 200])
def test_a_long_title_is_shortened_in_the_subject_and_never_escaped(title, language):
    to = samples.invitation(language)
    mail = samples.mail(to=to, about=samples.meeting(title=Wording.of(title)))
    assert len(mail.subject) <= SUBJECT_LIMIT
    assert "&lt;" not in mail.subject
    assert mail.subject.endswith(")"), "the time must survive"
    assert str(parsed(mail)["Subject"]) == mail.subject
    assert f"SUMMARY:{title}"[:60] in "\n".join(calendar_lines(mail)).replace("\\", "")


@pytest.mark.parametrize(("language", "own"), [("ko", "광진구"), ("mn", "Улаанбаатар"), ("tr", "Ereğli")])
def test_every_citys_time_is_there_and_the_readers_own_first(language, own):
    text = plain(samples.mail(to=samples.invitation(language)))
    clocks = [line for line in text.splitlines() if "UTC+" in line]
    assert [re.search(r"\d\d:\d\d", line)[0] for line in clocks[1:]] == sorted(
        {"15:00", "14:00", "09:00"} - {re.search(r"\d\d:\d\d", clocks[0])[0]}, reverse=True
    )
    assert clocks[0].startswith(f"* {own} ({i18n.text(language, 'mail.label.own_time')}):")
    assert all("2026" in line and i18n.full_date(language, samples.START.date()) in line for line in clocks)
    assert [re.search(r"\((UTC\S+), (\S+)\)", line).groups() for line in sorted(clocks, key=lambda c: c[-10:])]


def test_each_city_has_its_own_date():
    about = samples.meeting(start=datetime(2026, 12, 16, 18, 30, tzinfo=UTC), duration_minutes=60)
    text = plain(samples.mail(to=samples.invitation("en"), about=about))
    assert "* Ulaanbaatar (your local time): Thursday, 17 December 2026, 02:30–03:30 (UTC+8, Asia/Ulaanbaatar)" in text
    assert "- Gwangjin-gu: Thursday, 17 December 2026, 03:30–04:30 (UTC+9, Asia/Seoul)" in text
    assert "- Eregli: Wednesday, 16 December 2026, 21:30–22:30 (UTC+3, Europe/Istanbul)" in text


def test_a_meeting_over_midnight_says_on_which_day_it_ends():
    about = samples.meeting(start=datetime(2026, 12, 16, 15, 30, tzinfo=UTC), duration_minutes=60)
    text = plain(samples.mail(to=samples.invitation("en"), about=about))
    assert "- Gwangjin-gu: Thursday, 17 December 2026, 00:30–01:30" in text
    assert "* Ulaanbaatar (your local time): Wednesday, 16 December 2026, 23:30 – Thu, 17 Dec 00:30" in text


@pytest.mark.parametrize("occasion", REQUESTS)
def test_a_request_gives_the_ways_to_answer_and_to_join(occasion, language):
    to = samples.invitation(language)
    mail = samples.mail(occasion, to)
    link = samples.addressed(to).link
    for text in (plain(mail), html(mail)):
        assert link in text
        for sentence in ("answer.how", "answer.personal", "answer.unknown_sender"):
            assert i18n.text(language, f"mail.{sentence}") in text
    assert plain(mail).count(link) == 1
    assert f"URL:{link}" in calendar_lines(mail)


def test_without_a_link_yet_the_mail_says_that_it_will_follow(mails, language):
    sentence = i18n.text(language, "mail.label.link_later")
    assert sentence in plain(mails["invitation-bare"])
    assert sentence in html(mails["invitation-bare"])
    assert samples.VIDEO_URL in plain(mails["invitation"])
    assert f'href="{samples.VIDEO_URL}"' in html(mails["invitation"])


def test_a_link_that_is_no_web_address_is_never_a_link(language):
    mail = samples.mail(to=samples.invitation(language), about=samples.meeting(video_url="javascript:alert(1)"))
    assert "javascript" not in mail.content.decode() + plain(mail) + html(mail) + "".join(calendar_lines(mail))


@pytest.mark.parametrize("occasion", CANCELS)
def test_a_cancel_gives_no_way_in(occasion, language):
    to = samples.invitation(language)
    mail = samples.mail(occasion, to)
    everything = plain(mail) + html(mail) + "\n".join(calendar_lines(mail))
    assert samples.VIDEO_URL not in everything
    assert samples.addressed(to).link not in everything
    assert samples.AGENDA.read_in(language).splitlines()[0] not in everything


def test_the_reason_of_a_cancellation_is_told_as_text(mails):
    assert "bütçe görüşmeleri <b>" in plain(mails["cancelled"])
    assert "bütçe görüşmeleri &lt;b&gt;" in html(mails["cancelled"])


def test_a_moved_meeting_shows_the_old_and_the_new_time_and_asks_again(mails, language):
    text = plain(mails["moved"])
    before, after = (i18n.full_date(language, (samples.START + timedelta(days=d)).date()) for d in (0, 1))
    assert text.index(i18n.text(language, "mail.label.was")) < text.index(before) < text.index(after)
    assert i18n.text(language, "mail.answer.again") in text
    assert i18n.text(language, "mail.lead.moved") in text


def test_a_changed_meeting_tells_what_is_different(mails, language):
    text = plain(mails["changed"])
    for what in ("room", "title", "subject", "agenda"):
        assert f"- {i18n.text(language, f'mail.change.{what}')}: " in text
    for what in ("link", "cities", "duration"):
        assert f"- {i18n.text(language, f'mail.change.{what}')}: " not in text
    title = samples.TITLE.read_in(language)
    assert f"{title} (2) ({i18n.text(language, 'mail.label.before')}: {title})" in text


def test_a_person_whose_own_role_changed_is_told_so():
    was = samples.meeting()
    now = replace(samples.invitation("en"), invitee=replace(samples.PEOPLE["en"], role="observer"))
    told = replace(samples.message(Occasion.CHANGED, now), meeting=was, previous=was)
    assert "- Your role: Observer (before: Interpreter)" in plain(samples.mail_of(told))


def test_a_kept_answer_is_shown_with_the_way_to_change_it(mails, language):
    text = plain(mails["resent-answered"])
    assert f"{i18n.text(language, 'mail.label.answer')}: {i18n.text(language, 'words.status.accepted')}" in text
    assert i18n.text(language, "mail.answer.change") in text


def test_people_are_named_by_city_with_their_role(mails):
    text = plain(mails["invitation"])
    for person in (*samples.PEOPLE.values(), samples.OBSERVER, samples.COORDINATOR):
        assert person.name in text


@pytest.mark.parametrize("role", ["optional", "interpreter", "observer"])
def test_a_special_role_stands_in_a_line(role, language):
    invitee = replace(samples.PEOPLE["ko"], role=role, language=language)
    line = f"{i18n.text(language, 'mail.label.role')}: {i18n.text(language, f'words.role.{role}')}"
    assert line in plain(samples.mail(to=Invitation("inv-x", invitee))).splitlines()
    assert line not in plain(samples.mail(to=samples.invitation("ko"))).splitlines()


def test_the_coordinators_copy_asks_for_no_answer(mails, language):
    for kind in ("invitation-copy", "moved-copy", "changed-copy", "resent-copy"):
        text = plain(mails[kind]) + html(mails[kind])
        assert "https://meet.example/meetings/7" in text
        assert "/i/" not in text
        assert i18n.text(language, "mail.answer.how") not in text
    assert i18n.text(language, "mail.lead.copy") in plain(mails["invitation-copy"])


def test_others_addresses_and_links_stand_in_nobodys_mail():
    """D08."""
    everybody = samples.meeting().invitations
    crowded = samples.meeting(invitations=(*everybody, _named_by_address()))
    for to in everybody:
        mail = samples.mail(to=to, about=crowded)
        text = "\n".join([mail.content.decode("ascii"), plain(mail), html(mail), *calendar_lines(mail)])
        for other in (*everybody, _named_by_address()):
            if other.id != to.id:
                secrets = samples.addressed(other)
                assert not [s for s in (other.invitee.email, secrets.link, secrets.reply_address) if s in text]


def _named_by_address():
    return Invitation("inv-n", Invitee("desk@eregli.example", "desk@eregli.example", "eregli", "tr"))


def test_an_answer_is_told_with_who_what_when_how_and_the_counts():
    text = plain(samples.notice("answered", "en"))
    for line in (
        "Person: İmar ve Şehircilik Müdürlüğü, Eregli",
        "E-mail address: imar@eregli.example",
        "Answer: Undecided",
        "Given: Tuesday, 1 September 2026, 10:02 (Gwangjin-gu)",
        "How: Personal link",
        "Given or recorded by: sekreter@eregli.example",
        "Answers so far: No answer yet 2, Attending 0, Undecided 1, Not attending 0",
        "https://meet.example/meetings/7",
    ):
        assert line in text.splitlines()


def test_a_refusal_tells_the_servers_words_and_a_review_its_reason():
    assert "What the mail server said: 550 5.1.1 <imar@eregli.example>: no such user" in plain(
        samples.notice("refused", "en")
    )
    assert "550 5.1.1 &lt;imar@eregli.example&gt;" in html(samples.notice("refused", "en"))
    assert "Details: Readable, but not decidable by rule" in plain(samples.notice("review", "en"))
    assert "Open the review page:\nhttps://meet.example/review\n" in plain(samples.notice("review", "en"))
    assert "/review" not in plain(samples.notice("bounced", "en"))


def test_the_sign_in_link_says_how_long_it_works():
    mail = samples.sign_in("en")
    assert "https://meet.example/sign-in/secret" in plain(mail)
    assert "The link works once, within 10 minutes." in plain(mail)


def test_comments_and_titles_are_text_in_html():
    """C01."""
    page = html(samples.notice("answered", "tr"))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for payload in ("<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "{{ 7 * 7 }}", "%(x)s {title} </title>"):
        about = samples.meeting(title=Wording.of(payload), agenda=Wording.of(payload), cancel_reason=payload)
        to = replace(samples.invitation("en"), invitee=replace(samples.PEOPLE["en"], name=payload))
        for occasion in Occasion:
            mail = samples.mail(occasion, to, about)
            assert not re.search(r"<(img|svg)|onerror=[^&]*>", html(mail).replace("&gt;", "&")), payload
            assert payload in plain(mail)


def test_html_loads_nothing_and_runs_nothing(mails):
    """C01."""
    for kind, mail in mails.items():
        assert not ELSEWHERE.search(html(mail)), kind
        links = _Links()
        links.feed(html(mail))
        assert all(link.startswith(("https://meet.example/", samples.VIDEO_URL)) for link in links.found), kind
        assert "<style" not in html(mail)


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src", "action", "background")]


def test_the_calendar_entry_begins_with_the_link_and_holds_every_clock():
    text = calendar_text(samples.meeting(), samples.DIRECTORY, "en", "https://meet.example/meetings/7")
    lines = text.description.splitlines()
    assert lines[0] == f"Join the video meeting: {samples.VIDEO_URL}"
    assert lines[1] == "Gwangjin-gu: Wednesday, 16 December 2026, 15:00–16:30 (UTC+9)"
    assert text.location == text.join_url == samples.VIDEO_URL
    assert text.categories == ("Environment and urban planning",)
    assert "/i/" not in text.description
    own = calendar_text(samples.meeting(), samples.DIRECTORY, "en", "u", link="https://a.example/i/1", city="eregli")
    assert own.description.splitlines()[1].startswith("Eregli: ")
    assert own.description.endswith("https://a.example/i/1")


def test_a_place_is_the_room_where_there_is_no_link():
    about = samples.meeting(video_url="")
    assert calendar_text(about, samples.DIRECTORY, "en", "").location == "Gwangjin-gu video conference room"
    assert calendar_text(replace(about, room=""), samples.DIRECTORY, "en", "").location == ""


def test_a_confidential_meeting_is_only_busy_to_others():
    secret = samples.meeting(confidential=True)
    words = [calendar_text(secret, samples.DIRECTORY, lang, "u", busy=True) for lang in LANGUAGES]
    assert [w.summary for w in words] == ["바쁨", "Завгүй", "Meşgul", "Busy"]
    assert {(w.description, w.location, w.url, w.categories, w.join_url) for w in words} == {("", "", "", (), "")}


def test_an_unknown_language_is_read_in_english():
    to = replace(samples.invitation("en"), invitee=replace(samples.PEOPLE["en"], language="xx"))
    assert plain(samples.mail(to=to)).startswith("Dear Interpreters' desk,")
