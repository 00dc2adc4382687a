"""What a page is made of, as plain values: columns, charts, panels, pages.

Here belong the shapes. Not here: HTML (`frame`), drawing (`figures`), words for values (`values`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Row = Mapping[str, Any]
Kind = Literal[
    "text", "word", "count", "ratio", "number", "seconds", "moment", "date", "money", "tokens", "flag", "id"
]  # fmt: skip
"""How a value is written: `word` is a name of the marts with spaces for its underscores, `seconds` as hours and minutes, `money` from minor
units in the row's `currency`, `ratio` as per cent."""

Tone = Literal["", "good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer. `facet`: the reader may choose by its values. `alarm`: how a number above 0 looks among the figures."""

    name: str
    title: str
    kind: Kind = "text"
    unit: str = ""
    facet: bool = False
    alarm: Tone = ""
    link: str = ""
    """Where it leads: a figure to a page by its name, a cell to an address made of the row."""
    colour: str = ""
    """Its colour in charts, as a variable of the style; else the next that is free."""


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded interval between two columns."""

    low: str
    high: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of the panel's rows: `y` over `x`, one series a value of `by`, or one a column of `y`. The outermost band comes first."""

    form: Literal["bar", "stack", "line", "points", "across"]
    x: str
    y: Sequence[str]
    by: str = ""
    bands: Sequence[Band] = ()
    x_title: str = ""
    y_title: str = ""
    diagonal: bool = False
    """A dotted line where y equals x: of a calibration."""
    mark: float | None = None
    """A dotted line across, at this height."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One question with its answer: figures, or a table with or without a chart; the same rows are its CSV.

    `scope`: `rows` belong to tenants, and all of them to the overall page; of `sums`, rows without a tenant are the overall page's;
    `platform` has no tenants and is on the overall page alone; `tenants` compares them there.
    """

    name: str
    title: str
    asks: str
    sql: str
    columns: Sequence[Column]
    chart: Chart | None = None
    form: Literal["table", "figures"] = "table"
    scope: Literal["rows", "sums", "platform", "tenants"] = "rows"
    store: Literal["marts", "state"] = "marts"
    empty: str = "Nothing."
    """What no row means, and what to do where something should be there."""
    bar: str = ""
    """Where it has no chart: the column that is drawn where text alone is shown (`markdown`)."""
    later: str = ""
    """What to say where the table that it asks is not there yet."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go on at."""

    title: str
    address: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One page of the site: what it is called, what it answers, its panels and the places that belong to it."""

    name: str
    title: str
    says: str
    panels: Sequence[Panel]
    assets: Sequence[str] = ()
    """Dagster assets behind it, as `marts/dim_leads`."""
    see: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a panel's query came to; `missing` says why there is none."""

    rows: Sequence[Row] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose page it is: one tenant's, in its zone, or (`tenant` empty) everybody's, in UTC."""

    tenant: str
    zone: str

    @property
    def title(self) -> str:
        """For people."""
        return self.tenant or "All tenants"


@dataclass(frozen=True, slots=True)
class Site:
    """What every page shares: the topics, the tenants and their zones, the moment of the numbers, where Dagster's UI is."""

    topics: Sequence[Topic]
    zones: Mapping[str, str]
    as_of: datetime | None
    dagster: str
    extra: Mapping[str, Sequence[Link]] = field(default_factory=dict)
    """Links that pages get besides, by the name of the topic: what lies in the reports' folder already."""
