"""What every part of the tenants file is made of: strict Structs, dated ones, and the words for ids, moments and amounts.

Here belong these. Not here: the parts themselves (`core.tenancy`, `core.tenancy_sending`).
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

HOUR = 3_600
DAY = 24 * HOUR

Identifier = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,30}$", description="Lower-case letters, digits and _, 2 to 31 long.")]
Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[int, Meta(gt=0)]
Moment = Annotated[datetime, Meta(tz=True, description="ISO 8601 with an offset, such as 2026-01-01T00:00:00Z.")]


class Strict(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A part of the file; a field that it does not know is an error, not ignored."""


class Dated(Strict, frozen=True, kw_only=True):
    """A part that is valid in the half-open range [`valid_from`, `valid_to`); without `valid_to`, for ever."""

    valid_from: Moment
    valid_to: Moment | None = None
