"""Spans of time as arrays, so that a year of fifty cities costs milliseconds.

A span is half-open, [start, end), in whole seconds since 1970-01-01T00:00Z; nothing here is a cell or a minute. `Spans`
are sorted, disjoint and without touching neighbours, so that a meeting fits exactly where one span holds it, which is
where it overlaps no gap. Whatever keeps a meeting away, a closed office like a busy person, is thus a list of spans
that it must not overlap, and all of them are counted in one pass over the possible starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
Array = NDArray[np.int64]
Mask = NDArray[np.bool_]
Bounds = tuple[Array, Array]  # starts and ends of any spans, in any order, none empty

# Before and after everything; far enough from the ends of int64 that a length can be added.
_BEGINNING, _END = -(2**61), 2**61


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    starts: Array
    ends: Array

    @classmethod
    def merged(cls, starts: Array, ends: Array) -> Spans:
        """Of any spans: sorted, without empty ones; overlapping and touching ones are one."""
        there = starts < ends
        order = np.argsort(starts[there], kind="stable")
        starts, reached = starts[there][order], np.maximum.accumulate(ends[there][order])
        alone = starts[1:] > reached[:-1]
        some = np.ones(min(1, len(starts)), bool)
        return cls(starts[np.concatenate((some, alone))], reached[np.concatenate((alone, some))])

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Spans:
        """Of plain spans, which may be empty."""
        return cls.merged(*flat(spans))

    @property
    def bounds(self) -> Bounds:
        return self.starts, self.ends

    def gaps(self) -> Spans:
        """The time outside, from before everything until after it."""
        return Spans(np.concatenate(([_BEGINNING], self.ends)), np.concatenate((self.starts, [_END])))

    def between(self, since: int, until: int) -> Spans:
        """Those that reach into [since, until), uncut."""
        low, high = np.searchsorted(self.ends, since, "right"), np.searchsorted(self.starts, until)
        return Spans(self.starts[low:high], self.ends[low:high])

    def clipped(self, since: int, until: int) -> list[Span]:
        """What of them lies in [since, until)."""
        near = self.between(since, until)
        return [(max(start, since), min(end, until)) for start, end in near]

    def covered(self, starts: Array, length: int) -> Array:
        """How many seconds of each [start, start + length) they hold."""
        return self._before(starts + length) - self._before(starts)

    def room(self, instants: Array) -> Array:
        """How long each instant's span goes on from there; 0 outside."""
        index = np.searchsorted(self.starts, instants, "right")
        return np.maximum(np.concatenate(([_BEGINNING], self.ends))[index] - instants, 0)

    def _before(self, instants: Array) -> Array:
        """How many seconds before each instant they hold."""
        index = np.searchsorted(self.starts, instants, "right")
        held = np.concatenate(([0], np.cumsum(self.ends - self.starts)))
        return held[index] - np.maximum(np.concatenate(([_BEGINNING], self.ends))[index] - instants, 0)

    def __iter__(self) -> Iterator[Span]:
        yield from zip(self.starts.tolist(), self.ends.tolist(), strict=True)


def flat(spans: Iterable[Span]) -> Bounds:
    both = np.fromiter(chain.from_iterable(spans), np.int64)
    return both[::2], both[1::2]


def overlaps(instants: Array, length: int, taken: Sequence[Bounds]) -> Array:
    """How many spans of all that are `taken` each [instant, instant + length) overlaps; `instants` sorted."""
    starts = np.concatenate([starts for starts, _ in taken])
    ends = np.concatenate([ends for _, ends in taken])
    size = len(instants) + 1
    first, beyond = _before(instants, starts - length + 1), _before(instants, ends)
    change = np.bincount(first, minlength=size) - np.bincount(beyond, minlength=size)
    return np.cumsum(change)[:-1]


def _before(instants: Array, moments: Array) -> Array:
    """How many of the `instants` are before each moment; by division where they are evenly spaced (most grids)."""
    steps = np.diff(instants)
    if not len(steps) or (steps != steps[0]).any():
        return np.searchsorted(instants, moments)
    found: Array = np.clip((moments - instants[0] + steps[0] - 1) // steps[0], 0, len(instants))
    return found
