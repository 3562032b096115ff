"""A mail that is filled into the form of its shape is the one that its templates would have made of it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core.meeting import Meeting, Message, Occasion
from scheduler.core.words import LANGUAGES, Wording, clean_line, clean_text
from scheduler.mail import compose, render
from scheduler.mail.facts import facts
from tests.mail import samples

# Whatever people type: markup, lines, directions, and the characters that mark places in a form.
WORDS = st.text(st.sampled_from("až회ө<>&\"'{}%\n\r \u202e\U000f0000\U000f0001\U0010ffff"), max_size=12)
ROLES = st.sampled_from(["required", "optional", "interpreter", "observer"])
STATUSES = st.sampled_from(["waiting", "accepted", "tentative", "declined", "delegated"])


@st.composite
def meetings(draw: st.DrawFn) -> Meeting:
    meeting = samples.meeting()
    people = [
        replace(
            invitation,
            invitee=replace(invitation.invitee, name=clean_line(draw(WORDS)), role=draw(ROLES)),
            status=draw(STATUSES),
        )
        for invitation in meeting.invitations[: draw(st.integers(1, 5))]
    ]
    return replace(
        meeting,
        title=Wording.of(draw(WORDS)),
        agenda=Wording.of(draw(WORDS), lines=True),
        video_url=draw(st.sampled_from(["", "https://video.example/<&>"])),
        room=draw(st.sampled_from(["", "gwangjin-video"])),
        cancel_reason=clean_text(draw(WORDS)),
        topic=draw(st.sampled_from(["", "regeneration"])),
        cities=draw(st.sampled_from([("gwangjin", "eregli"), ("gwangjin", "ulaanbaatar", "eregli")])),
        invitations=(*people, samples.chair()),
    )


@settings(max_examples=60, deadline=None)
@given(meetings(), meetings(), st.sampled_from(Occasion), st.sampled_from(LANGUAGES), st.booleans())
def test_a_filled_form_is_what_the_templates_make(
    now: Meeting, before: Meeting, occasion: Occasion, language: str, knew: bool
) -> None:
    for invitation in now.invitations:
        message = Message(occasion, now, invitation, samples.NOW, previous=before if knew else None)
        context = told(message, language)
        made = render.render(str(occasion), language, context)
        assert render.filled(str(occasion), language, context) == made
        assert render.filled(str(occasion), language, context) == made  # the form is there now


@settings(max_examples=60, deadline=None)
@given(WORDS, WORDS, st.sampled_from(LANGUAGES))
def test_a_form_cleans_texts_that_nobody_cleaned(agenda: str, product: str, language: str) -> None:
    for text in (agenda, "one\r\ntwo\r\n\r\nthree\0"):
        meeting = samples.meeting(agenda=Wording((("und", text),)))
        context = told(samples.message(Occasion.INVITATION, about=meeting), language) | {"product": product}
        made = render.filled("invitation", language, context)
        assert (made.plain, made.html) == (clean_text(made.plain), clean_text(made.html))
    assert "one\ntwo\n\nthree\n" in made.plain


def told(message: Message, language: str) -> dict[str, Any]:
    about = facts(message.meeting, samples.DIRECTORY, language, message.invitation.invitee.city)
    addressed = samples.addressed(message.invitation)
    return compose._told(message, about, samples.DIRECTORY, samples.SENDER, addressed, language)


def test_a_long_title_is_cut_in_a_form_too() -> None:
    meeting = samples.meeting(title=Wording.of("도시재생 " * 40))
    context = told(samples.message(Occasion.INVITATION, about=meeting), "ko")
    made = render.filled("invitation", "ko", context)
    assert made == render.render("invitation", "ko", context)
    assert len(made.subject) == render.SUBJECT_LIMIT
    assert "…" in made.subject


def test_mails_that_differ_in_texts_alone_share_one_form() -> None:
    render._form.cache_clear()
    for number in range(5):
        meeting = samples.meeting(title=Wording.of(f"Title {number}"), agenda=Wording.of(f"a\n{number}", lines=True))
        render.filled("invitation", "ko", told(samples.message(Occasion.INVITATION, about=meeting), "ko"))
    assert render._form.cache_info().currsize == 1
