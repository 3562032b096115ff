"""A meeting of Gwangjin-gu, Ulaanbaatar and Eregli, and its texts as the mails would write them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler.core import zones
from scheduler.core.meeting import CHAIR, Invitation, Invitee, Meeting, Message, Occasion
from scheduler.core.words import Wording
from scheduler.ics.write import CalendarText, itip_object, publish

ORGANIZER = "meetings+k7q2x9mz4c@meet.example"
ORGANIZER_NAME = "Gwangjin-gu, Seoul"
CREATED = datetime(2026, 8, 3, 0, 30, tzinfo=UTC)
JOIN = "https://video.example/gwangjin-eregli-7"


def meeting(**changes: Any) -> Meeting:
    start = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
    plain = Meeting(
        id=7,
        uid="4f6c0f1e-0b1d-4c8e-9a55-7a2b6d1c0007@meet.example",
        status="confirmed",
        title=Wording.of({"en": "Urban regeneration"}),
        field="environment",
        host="gwangjin",
        cities=("gwangjin", "ulaanbaatar", "eregli"),
        zone="Asia/Seoul",
        wall=datetime(2026, 9, 1, 15, 0),  # noqa: DTZ001 a wall time
        start=start,
        duration_minutes=60,
        tz_version="2026f",
        owner_id=1,
        created_at=CREATED,
        changed_at=CREATED,
        video_url=JOIN,
    )
    return replace(plain, **changes)


def at(zone: str, start: datetime, **changes: Any) -> Meeting:
    """The meeting at the instant `start`, on the clock of `zone`."""
    return meeting(zone=zone, start=start, wall=zones.to_local(start, zone).replace(tzinfo=None), **changes)


def invitation(language: str = "en", **changes: Any) -> Invitation:
    return Invitation(id=f"inv-{language}", invitee=INVITEES[language], **changes)


def message(occasion: Occasion, about: Meeting | None = None, to: Invitation | None = None) -> Message:
    return Message(occasion, about or meeting(), to or invitation(), dtstamp=CREATED + timedelta(seconds=1))


def sent(
    occasion: Occasion = Occasion.INVITATION,
    about: Meeting | None = None,
    to: Invitation | None = None,
    text: CalendarText | None = None,
) -> bytes:
    to = to or invitation()
    text = text or TEXTS[to.invitee.language]
    return itip_object(message(occasion, about, to), ORGANIZER, ORGANIZER_NAME, text)


INVITEES = {
    "ko": Invitee("도시재생과, 광주", "Regeneration@gwangju.example", "gwangju", "ko"),
    "mn": Invitee("Хот төлөвлөлтийн газар", "planning@ulaanbaatar.example", "ulaanbaatar", "mn", role="optional"),
    "tr": Invitee('"İmar" Müdürlüğü; Ereğli', "imar@eregli.example", "eregli", "tr"),
    "en": Invitee("Interpreters' desk", "interpreters@gwangjin.example", "gwangjin", "en", role="interpreter"),
}
CHAIRPERSON = Invitee("Environment desk", "environment@gwangjin.example", "gwangjin", "ko", role=CHAIR)

TEXTS = {
    "ko": CalendarText(
        summary="도시재생 화상회의: 광진구 ↔ 울란바토르 ↔ 에레을리",
        description="화상회의 접속: "
        + JOIN
        + "\n\n광진구 15:00 (UTC+9)\n울란바토르 14:00 (UTC+8)\n에레을리 09:00 (UTC+3)",
        location=JOIN,
        url="https://meet.example/i/aB3dE5gH7jK9",
        categories=("환경·도시계획", "도시재생"),
        join_url=JOIN,
        join_label="화상회의 참여",
    ),
    "mn": CalendarText(
        summary="Хот дахин төлөвлөлтийн цахим уулзалт: Гуанжин дүүрэг ↔ Улаанбаатар ↔ Эрэгли",
        description="Уулзалтад холбогдох: " + JOIN + "\n\nУлаанбаатар 14:00 (UTC+8)\nГуанжин 15:00 (UTC+9)",
        location=JOIN,
        url="https://meet.example/i/bC4eF6hJ8kL0",
        categories=("Байгаль орчин, хот төлөвлөлт", "Хот дахин төлөвлөлт"),
        join_url=JOIN,
        join_label="Уулзалтад холбогдох",
    ),
    "tr": CalendarText(
        summary="Kentsel dönüşüm görüntülü toplantısı: Gwangjin-gu ↔ Ulanbator ↔ Ereğli",
        description="Toplantıya katılım: " + JOIN + "\n\nEreğli 09:00 (UTC+3); Gwangjin-gu 15:00 (UTC+9)",
        location=JOIN,
        url="https://meet.example/i/cD5fG7iK9lM1",
        categories=("Çevre ve şehir planlama", "Kentsel dönüşüm"),
        join_url=JOIN,
        join_label="Toplantıya katıl: görüntülü",
    ),
    "en": CalendarText(
        summary="Urban regeneration: Gwangjin-gu ↔ Ulaanbaatar ↔ Eregli",
        description="Join: " + JOIN + "\n\nGwangjin-gu 15:00 (UTC+9), Ulaanbaatar 14:00 (UTC+8), Eregli 09:00 (UTC+3)",
        location=JOIN,
        url="https://meet.example/i/dE6gH8jL0mN2",
        categories=("Environment, urban planning", "Urban regeneration"),
        join_url=JOIN,
        join_label="Join the video meeting",
    ),
}


def golden() -> dict[str, bytes]:
    """The calendars whose bytes are kept in golden/, by file name."""
    moved = meeting(
        sequence=1,
        start=datetime(2026, 9, 2, 7, 30, tzinfo=UTC),
        wall=datetime(2026, 9, 2, 16, 30),  # noqa: DTZ001 a wall time
        changed_at=CREATED + timedelta(days=1),
    )
    called_off = replace(moved, status="cancelled", sequence=2, changed_at=CREATED + timedelta(days=2))
    in_berlin = at("Europe/Berlin", datetime(2026, 7, 1, 7, 0, tzinfo=UTC), uid="5a7d-0008@meet.example", id=8)
    entries = [
        (in_berlin, TEXTS["en"]),
        (called_off, TEXTS["en"]),
        (meeting(uid="6b8e-0009@meet.example"), TEXTS["ko"]),
    ]
    name = "Gwangjin-gu: every meeting"
    return {
        **{f"request-{language}.ics": sent(to=invitation(language)) for language in TEXTS},
        "moved.ics": sent(Occasion.MOVED, moved, invitation("tr")),
        "cancelled.ics": sent(Occasion.CANCELLED, called_off, invitation("mn", status="accepted")),
        "removed.ics": sent(Occasion.REMOVED, to=invitation("tr", lead=1)),
        "published.ics": publish(
            entries, name=name, organizer_address="meetings@meet.example", organizer_name=ORGANIZER_NAME
        ),
    }
