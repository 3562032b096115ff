"""The countries of ISO 3166-1, by their two-letter codes."""

from __future__ import annotations

import re

from babel import Locale

# CLDR names more than ISO 3166-1 does: unions, islands without a code of their own, pseudo-locales, "unknown".
_NO_COUNTRY = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
CODES = frozenset(c for c in map(str, Locale.parse("en").territories) if re.fullmatch("[A-Z]{2}", c)) - _NO_COUNTRY
