"""Which slots come first, and how the best are spread over the days.

The order: everybody in office hours, then the lowest cost, then the smallest worst burden, then the fewest optional
people who are busy, then the fewest cities outside the part of the week they like best, then fairness, then soonest.

A city's burden is the minutes of the slot outside the office hours of its local day; its cost is the burden times its
weight. The worst burden is the largest of a single city, unweighted. Fairness looks at what each city has borne
already: the slot after which the cities' totals have the smallest sum of squares comes first, which is the one that
burdens those who bore least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.core.fairness import growth
from scheduler.core.search import Search
from scheduler.core.spans import Array, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """All starts that were found, with the minutes that they burden each city and whom they miss.

    `chosen` are the places of the best among them, best first. Cities without stretch hours have no burdens.
    """

    starts: Array
    burdens: Mapping[str, Array]
    absent: Sequence[tuple[str, Mask]]
    chosen: Array


def rank(search: Search, starts: Array, borne: Mapping[str, int], limit: int | None) -> Ranked:
    """`borne`: minutes outside office hours by city in meetings held. Without `limit` all are chosen."""
    burdens, absent = _burdens(search, starts), search.absent(starts)
    order = _order(_keys(search, starts, burdens, absent, borne))
    if limit is not None and limit < len(starts):
        order = _spread(order, search.grid.days(starts), limit)
    return Ranked(starts, burdens, absent, order)


def _burdens(search: Search, starts: Array) -> dict[str, Array]:
    """Minutes outside office hours, begun ones whole, at each start."""
    return {
        calendar.city.slug: -((calendar.office.covered(starts, search.length) - search.length) // 60)
        for calendar in search.calendars
        if calendar.has_stretch
    }


def _keys(
    search: Search,
    starts: Array,
    burdens: Mapping[str, Array],
    absent: Sequence[tuple[str, Mask]],
    borne: Mapping[str, int],
) -> list[Array]:
    """What the starts are compared by, the most important first."""
    cost, worst, unfair, missing, disliked = (np.zeros(len(starts), np.int64) for _ in range(5))
    weights = {calendar.city.slug: calendar.city.weight for calendar in search.calendars}
    for slug, minutes in burdens.items():
        cost += minutes * weights[slug]
        worst = np.maximum(worst, minutes)
        unfair += growth(borne.get(slug, 0), minutes)
    for _, mask in absent:
        missing += mask
    for calendar in search.calendars:
        if calendar.preferred is not None:
            disliked += calendar.preferred.covered(starts, search.length) < search.length
    return [cost, worst, missing, disliked, unfair, starts]


def _order(keys: list[Array]) -> Array:
    """The places of the starts, which come sorted, in the order of the keys."""
    telling = [key for key in keys[:-1] if len(key) and key.min() < key.max()]
    return np.lexsort([keys[-1], *reversed(telling)]) if telling else np.arange(len(keys[-1]))


def _spread(order: Array, days: Array, limit: int) -> Array:
    """The best in rounds, each day's best, then each day's second best and so on; in their order."""
    by_day = np.argsort(days[order], kind="stable")
    sizes = np.bincount(days)
    rounds = np.empty(len(order), np.int64)
    rounds[by_day] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[np.sort(np.argsort(rounds, kind="stable")[:limit])]
