"""A meeting of Gwangjin-gu, Ulaanbaatar and Eregli with five people and its coordinator, and the mails about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler.core.cities import City, Closure, Directory, Field, Person, Room, Topic
from scheduler.core.laws import Finding, Shift
from scheduler.core.meeting import CHAIR, Invitation, Invitee, Meeting, Message, Notice, Occasion
from scheduler.core.words import LANGUAGES, Wording
from scheduler.mail.compose import (
    Addressed,
    Mail,
    Sender,
    invitation_mail,
    law_mail,
    notice_mail,
    security_mail,
    sign_in_mail,
)

NOW = datetime(2026, 9, 1, 1, 2, 3, tzinfo=UTC)
START = datetime(2026, 12, 16, 6, 0, tzinfo=UTC)
VIDEO_URL = "https://video.example/gwangjin-ulaanbaatar-eregli"
SENDER = Sender("meetings@meet.example", "Sister City Meetings", "https://meet.example")
CHANGES = ("on", "password", "second-factor", "recovery-codes", "off", "reset")
NOTICES = ("answered", "review", "refused", "bounced", "stale")


def _city(slug: str, zone: str, country: str, language: str, **names: str) -> City:
    return City(slug, Wording.of(names), zone, country, language, hours=((),) * 7)


CITIES = (
    _city("gwangjin", "Asia/Seoul", "KR", "ko", ko="광진구", mn="Гванжин дүүрэг", tr="Gwangjin-gu", en="Gwangjin-gu"),
    _city(
        "ulaanbaatar",
        "Asia/Ulaanbaatar",
        "MN",
        "mn",
        ko="울란바토르",
        mn="Улаанбаатар",
        tr="Ulanbator",
        en="Ulaanbaatar",
    ),
    _city("eregli", "Europe/Istanbul", "TR", "tr", ko="에레을리", mn="Эрегли", tr="Ereğli", en="Eregli"),
)
ENVIRONMENT = Field(
    "environment",
    Wording.of(
        {
            "ko": "환경·도시계획",
            "mn": "Байгаль орчин, хот төлөвлөлт",
            "tr": "Çevre ve şehir planlama",
            "en": "Environment and urban planning",
        }
    ),
    (
        Topic(
            "regeneration",
            Wording.of({"ko": "도시재생", "mn": "Хотын шинэчлэл", "tr": "Kentsel dönüşüm", "en": "Urban regeneration"}),
        ),
    ),
)
ECONOMY = Field("economy", Wording.of({"ko": "경제", "mn": "Эдийн засаг", "tr": "Ekonomi", "en": "Economy"}))
ROOM = Room(
    "gwangjin-video",
    "gwangjin",
    Wording.of(
        {
            "ko": "광진구 영상회의실",
            "mn": "Гванжин дүүргийн видео хурлын танхим",
            "tr": "Gwangjin-gu görüntülü toplantı salonu",
            "en": "Gwangjin-gu video conference room",
        }
    ),
)
DIRECTORY = Directory(
    cities={c.slug: c for c in CITIES},
    fields={f.code: f for f in (ENVIRONMENT, ECONOMY)},
    rooms={ROOM.code: ROOM},
)

TITLE = Wording.of(
    {
        "ko": "도시재생 현장 사례 공유 회의",
        "mn": "Хотын шинэчлэлийн туршлага солилцох хурал",
        "tr": "Kentsel dönüşüm deneyim paylaşımı toplantısı",
        "en": "Sharing experience in urban regeneration",
    }
)
AGENDA = Wording.of(
    {
        "ko": "1. 각 도시의 도시재생 사례\n2. 2027년 공동 사업\n3. 질의응답",
        "mn": "1. Хот бүрийн туршлага\n2. 2027 оны хамтарсан төсөл\n3. Асуулт, хариулт",
        "tr": "1. Her şehirden bir örnek\n2. 2027 yılı ortak projesi\n3. Soru ve yanıtlar",
        "en": "1. One case from each city\n2. Joint project for 2027\n3. Questions and answers",
    },
    lines=True,
)
PEOPLE = {
    "ko": Invitee("도시재생과", "regeneration@gwangjin.example", "gwangjin", "ko"),
    "mn": Invitee("Хот төлөвлөлтийн хэлтэс", "planning@ulaanbaatar.example", "ulaanbaatar", "mn"),
    "tr": Invitee("İmar ve Şehircilik Müdürlüğü", "imar@eregli.example", "eregli", "tr"),
    "en": Invitee("Interpreters' desk", "interpreters@ulaanbaatar.example", "ulaanbaatar", "en", role="interpreter"),
}
OBSERVER = Invitee("Dış İlişkiler", "dis@eregli.example", "eregli", "tr", role="observer")
COORDINATOR = Person(1, "국제교류팀", "exchange@gwangjin.example", "gwangjin", "ko", "coordinator")


def invitation(language: str = "en", **changes: Any) -> Invitation:
    return replace(Invitation(f"inv-{language}", PEOPLE[language]), **changes)


def chair(language: str = "ko") -> Invitation:
    invitee = Invitee(COORDINATOR.name, COORDINATOR.email, "gwangjin", language, role=CHAIR)
    return Invitation("inv-chair", invitee, status="accepted")


def meeting(**changes: Any) -> Meeting:
    plain = Meeting(
        id=7,
        uid="4f6c0f1e-0b1d-4c8e-9a55-7a2b6d1c0007@meet.example",
        status="confirmed",
        title=TITLE,
        field="environment",
        topic="regeneration",
        host="gwangjin",
        cities=("gwangjin", "ulaanbaatar", "eregli"),
        zone="Asia/Seoul",
        wall=datetime(2026, 12, 16, 15, 0),  # noqa: DTZ001 a wall time
        start=START,
        duration_minutes=90,
        tz_version="2026a",
        owner_id=1,
        created_at=NOW,
        changed_at=NOW,
        agenda=AGENDA,
        video_url=VIDEO_URL,
        room="gwangjin-video",
        invitations=(*map(invitation, LANGUAGES), Invitation("inv-observer", OBSERVER), chair()),
    )
    return replace(plain, **changes)


def message(occasion: Occasion, to: Invitation | None = None, about: Meeting | None = None) -> Message:
    """A message of this occasion, as a decision would make it: with the meeting before the change."""
    was = about or meeting()
    now = was
    if occasion is Occasion.MOVED:
        now = replace(was, start=START + timedelta(days=1), sequence=1, duration_minutes=60, video_url="")
    elif occasion is Occasion.CHANGED:
        title = Wording.of({k: f"{v} (2)" for k, v in TITLE.texts})
        now = replace(was, title=title, agenda=Wording.of("–"), field="economy", topic="", room="")
    elif occasion is Occasion.CANCELLED:
        now = replace(was, status="cancelled", sequence=1, cancel_reason="예산 심의와 겹침 / bütçe görüşmeleri <b>")
    first = occasion in (Occasion.INVITATION, Occasion.RESENT)
    return Message(occasion, now, to or invitation(), NOW, previous=None if first else was)


def addressed(to: Invitation) -> Addressed:
    return Addressed(f"meetings+token{to.id.removeprefix('inv-')}@meet.example", f"https://meet.example/i/link-{to.id}")


def mail(
    occasion: Occasion = Occasion.INVITATION,
    to: Invitation | None = None,
    about: Meeting | None = None,
    thread: tuple[str, str] = ("", ""),
) -> Mail:
    return mail_of(message(occasion, to, about), thread=thread)


def mail_of(told: Message, sender: Sender = SENDER, thread: tuple[str, str] = ("", "")) -> Mail:
    to = replace(addressed(told.invitation), thread=thread)
    return invitation_mail(told, DIRECTORY, sender, to, "<m1@meet.example>", "seed")


def notice(kind: str, language: str = "ko", **changes: Any) -> Mail:
    person = invitation(
        "tr",
        status="tentative",
        comment="Bir saat sonra katılabilirim. <script>alert(1)</script>\n.\nTeşekkürler",
        answered_at=NOW,
        channel="link",
        answered_by="sekreter@eregli.example",
    )
    detail = {"refused": "550 5.1.1 <imar@eregli.example>: no such user", "review": "human-review"}.get(kind, "")
    about = replace(meeting(), invitations=(person, *meeting().invitations[:2]))
    told = replace(Notice(kind, about, None if kind == "review" else person, detail), **changes)
    to = replace(COORDINATOR, language=language)
    return notice_mail(told, DIRECTORY, SENDER, to, CITIES[0], "<n1@meet.example>", NOW)


def sign_in(language: str = "ko") -> Mail:
    to = replace(COORDINATOR, language=language)
    return sign_in_mail(to, SENDER, "https://meet.example/sign-in/secret", 10, "<s1@meet.example>", NOW)


def security(change: str = "on", language: str = "ko") -> Mail:
    to = replace(COORDINATOR, language=language)
    return security_mail(change, to, CITIES[0], SENDER, "<p1@meet.example>", NOW)


def law(language: str = "ko") -> Mail:
    """A change of law about two meetings: clocks and a closed day of one, an hour of the other that is no more."""
    winter = Shift("eregli", datetime(2026, 12, 16, 9), datetime(2026, 12, 16, 8))  # noqa: DTZ001
    names = {"ko": "애도의 날", "mn": "Гашуудлын өдөр", "tr": "Yas Günü", "en": "Day of Mourning"}
    closed = Closure(START.date(), "holiday", Wording.of(names))
    found = [
        Finding(meeting(), "moved", (START - timedelta(hours=1),), (winter,), (("eregli", closed),)),
        Finding(meeting(title=Wording.of("Water")), "nonexistent", (), (), ()),
    ]
    to = replace(COORDINATOR, language=language)
    return law_mail(found, to, DIRECTORY, SENDER, "<l1@meet.example>", NOW)


def everything(language: str) -> dict[str, Mail]:
    """Every kind of mail that there is, in one language."""
    to = invitation(language)
    copies = {f"{o}-copy": mail(o, chair(language)) for o in Occasion if o is not Occasion.REMOVED}
    return {
        **{str(o): mail(o, to) for o in Occasion},
        **copies,
        "resent-answered": mail(Occasion.RESENT, replace(to, status="accepted")),
        "invitation-bare": mail(to=to, about=meeting(video_url="", room="", agenda=Wording(), topic="")),
        "changed-only-me": mail_of(Message(Occasion.CHANGED, meeting(), to, NOW, previous=meeting())),
        **{f"notice-{kind}": notice(kind, language) for kind in NOTICES},
        "sign-in": sign_in(language),
        "law": law(language),
        **{f"security-{change}": security(change, language) for change in CHANGES},
    }
