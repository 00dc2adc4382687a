"""The moment, from the machine or fixed.

Here belongs the only reading of the system's clock. Not here: anything that decides by it.
"""

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """UTC, to the microsecond."""
        return datetime.now(UTC)


class FixedClock:
    """Always the same moment: `flexoraa run --as-of`."""

    def __init__(self, moment: datetime) -> None:
        """Take the moment; it must have an offset."""
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        """The moment given."""
        return self._moment
