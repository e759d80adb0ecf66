"""South Africa's public holidays, by the `holidays` package."""

import datetime as dt
import functools
from collections.abc import Mapping

from holidays.countries.south_africa import SouthAfrica


@functools.lru_cache(maxsize=32)
def public_holidays(year: int) -> Mapping[dt.date, str]:
    """A Sunday's holiday counts on Monday too, a Saturday's does not move; days proclaimed once are in it."""
    return {date: str(name) for date, name in sorted(SouthAfrica(years=year, language="en_ZA").items())}
