"""A slow, obvious oracle of slots: every minute, by zoneinfo, every rule as it is said.

It shares nothing with the product but the values that are asked about.
"""

from __future__ import annotations

import zoneinfo
from bisect import bisect_left
from datetime import UTC, datetime, time, timedelta
from functools import cache, reduce
from itertools import accumulate
from operator import and_

zoneinfo.reset_tzpath(to=())

MINUTE = timedelta(minutes=1)


class Oracle:
    """The minutes of a stretch of days; minute 0 is `base`."""

    def __init__(self, towns, closures, since, until):
        self.base = datetime.combine(since, time(), UTC) - timedelta(days=3)
        self.count = ((until - since).days + 7) * 1440
        self.since, self.until = since, until
        self.towns = {town.slug: town for town in towns}.values()
        self.home = towns[0]
        self.office = {t.slug: self.open(t, closures, lambda day, t=t: office_week(t, day)) for t in self.towns}
        stretch = {t.slug: self.open(t, closures, lambda day, t=t: t.stretch) for t in self.towns}
        self.allowed = {slug: either(open_, stretch[slug]) for slug, open_ in self.office.items()}
        self.likes = {t.slug: self.open(t, closures, lambda day, t=t: t.preferred) for t in self.towns}

    def open(self, town, closures, week_of):
        minutes = bytearray(self.count)
        for day in days(self.since - timedelta(days=2), self.until + timedelta(days=2)):
            for start, end in week_of(day)[day.weekday()]:
                for local, begin, finish in ((day, start, min(end, 1440)), (day + timedelta(days=1), 0, end - 1440)):
                    closure = closures.get(town.slug, {}).get(local)
                    finish = min(finish, closure.start) if closure else finish
                    if begin < finish:
                        midnight = wall_minutes(datetime.combine(local, time()))
                        a = self.first(town.zone, midnight + begin)
                        b = self.first(town.zone, midnight + finish)
                        minutes[a:b] = b"\x01" * (b - a)
        return minutes

    def first(self, zone, wall):
        """The first minute at which the clock has shown `wall` or later."""
        return bisect_left(shown(zone, self.base, self.count)[1], wall)

    def starts(self, duration, step, now, attendees):
        """By day, every start that is possible."""
        free = all_of(self.allowed.values())
        for who in attendees:
            if who.required:
                for m in self.busy_minutes(who):
                    free[m] = 0
        now += timedelta(hours=max(town.notice_hours for town in self.towns))
        return {
            day: [m for m in self.fitting(free, day, duration, step) if self.base + m * MINUTE >= now]
            for day in days(self.since, self.until)
        }

    def fitting(self, free, day, duration, step):
        midnight, whole = wall_minutes(datetime.combine(day, time())), b"\x01" * duration
        walls = shown(self.home.zone, self.base, self.count)[0]
        for m in range(self.first(self.home.zone, midnight), self.first(self.home.zone, midnight + 1440)):
            if free[m] and (walls[m] - midnight) % step == 0 and free[m : m + duration] == whole:
                yield m

    def busy_minutes(self, who):
        buffer = {town.slug: town.buffer_minutes for town in self.towns}.get(who.city, 0)
        zero = int(self.base.timestamp())
        for begin, end in who.busy:
            for m in range((begin - zero) // 60 - buffer, (end - zero) // 60 + buffer):
                if begin < end and 0 <= m < self.count:
                    yield m

    def burdens(self, m, duration):
        return {slug: duration - sum(minutes[m : m + duration]) for slug, minutes in self.office.items()}

    def best(self, starts, duration, attendees, borne, limit):
        """The starts in their order, as (minute, costs, absent)."""
        busy = {who.key: set(self.busy_minutes(who)) for who in attendees if not who.required}
        ranked = {}
        for list_ in starts.values():
            for m in list_:
                burdens = self.burdens(m, duration)
                costs = {town.slug: burdens[town.slug] * town.weight for town in self.towns}
                absent = tuple(key for key, taken in busy.items() if not taken.isdisjoint(range(m, m + duration)))
                outside = [t for t in self.towns if any(t.preferred) and not all(self.likes[t.slug][m : m + duration])]
                totals = [borne.get(slug, 0) + minutes for slug, minutes in burdens.items()]
                squares = sum(total**2 for total in totals)
                key = (sum(costs.values()), max(burdens.values()), len(absent), len(outside), squares, m)
                ranked[m] = key, (m, costs, absent)
        chosen = self.spread({day: sorted(list_, key=lambda m: ranked[m][0]) for day, list_ in starts.items()}, ranked)
        return [ranked[m][1] for m in sorted(chosen[:limit], key=lambda m: ranked[m][0])]

    def spread(self, by_day, ranked):
        """Each day's best by their rank, then each day's second best, and so on."""
        order = []
        while any(by_day.values()):
            round_ = [list_.pop(0) for list_ in by_day.values() if list_]
            order += sorted(round_, key=lambda m: ranked[m][0])
        return order


def office_week(town, day):
    for season in town.seasons:
        form = "%m-%d" if len(season.since) == 5 else "%Y-%m-%d"
        there = day.strftime(form)
        inside = season.since <= there <= season.until
        if season.since > season.until:
            inside = there >= season.since or there <= season.until
        if inside:
            return season.hours
    return town.hours


def either(left, right):
    return bytearray((int.from_bytes(left) | int.from_bytes(right)).to_bytes(len(left)))


def all_of(opened):
    """The minutes at which all are open."""
    size = len(next(iter(opened)))
    return bytearray(reduce(and_, map(int.from_bytes, opened)).to_bytes(size))


def days(since, until):
    return [since + timedelta(days=n) for n in range((until - since).days + 1)]


def wall_minutes(wall):
    """A wall time as minutes since 1970-01-01 00:00 on that wall."""
    return (wall - datetime(1970, 1, 1)) // MINUTE  # noqa: DTZ001


@cache
def shown(zone, base, count):
    """The wall clock at every minute, in its minutes, and the latest time it has shown until then."""
    walls = []
    for day in range(0, count, 1440):
        begin, end = (wall_at(zone, base + m * MINUTE) for m in (day, day + 1440))
        step = 1440 if end - begin == 1440 else 15  # where clocks change, they do at a quarter of an hour
        for m in range(day, day + 1440, step):
            wall = wall_at(zone, base + m * MINUTE)
            walls += range(wall, wall + step)
    return walls, list(accumulate(walls, max))


def wall_at(zone, instant):
    return wall_minutes(instant.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None))
