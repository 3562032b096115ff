"""`make bench`: what the product promises, each figure beside its ceiling in the same run. Status 1: one is missed."""

from __future__ import annotations

import sys

from bench import bookings, feeds, pages, rivals

PARTS = (bookings.main, rivals.main, feeds.main, pages.main)

if __name__ == "__main__":
    sys.exit(max(part() for part in PARTS))
