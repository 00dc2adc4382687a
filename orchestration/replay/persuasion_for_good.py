"""PersuasionForGood (Wang et al. 2019, Apache-2.0): dialogues in which one side asks the other for a donation.

`full_dialog.csv` has one row a message (`Unit` text, `B2` dialogue, `B4` 0 persuader or 1 persuadee), `full_info.csv` one
row a participant (`B6` dollars given). The persuader is our side, the persuadee the lead. Not here: webhooks.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from orchestration.replay.dialogues import Dialogue, Payment, ReplayError, Turn

_DIALOGUES = ("full_dialog.csv", {"Unit": pl.String, "B4": pl.Int64, "B2": pl.String})
_PEOPLE = ("full_info.csv", {"B2": pl.String, "B4": pl.Int64, "B6": pl.Float64})
_STAMP = re.compile(r"(\d{8}-\d{6})_")  # 20180904-045349_715_live; 27 ids have BAD_ in front
_LEAD = 1


def read(folder: Path) -> list[Dialogue]:
    """All dialogues, by id.

    Raises:
        ReplayError: a file is missing or is not what the release holds.
    """
    turns: dict[str, list[Turn]] = defaultdict(list)
    for text, role, dialogue_id in _rows(folder, *_DIALOGUES):
        turns[dialogue_id].append(Turn(role == _LEAD, text))
    payments: dict[str, list[Payment]] = defaultdict(list)
    for dialogue_id, role, dollars in _rows(folder, *_PEOPLE):
        cents = round((dollars or 0) * 100)  # rounded, for 0.29 * 100 is a little less than 29
        if cents > 0:
            payments[dialogue_id].append(Payment(role == _LEAD, cents))
    if missing := sorted(payments.keys() - turns.keys()):
        message = f"{folder / _PEOPLE[0]}: {len(missing)} dialogues are not in {_DIALOGUES[0]}, such as {missing[0]}"
        raise ReplayError(message)
    return [Dialogue(each, _started_at(folder, each), tuple(turns[each]), tuple(payments[each])) for each in sorted(turns)]


def _rows(folder: Path, name: str, schema: dict[str, type[pl.DataType]]) -> list[tuple[Any, ...]]:
    path = folder / name
    try:
        frame = pl.read_csv(path, columns=list(schema), schema_overrides=schema)
    except FileNotFoundError as error:
        message = f"{path} is missing: give the folder that holds {_DIALOGUES[0]} and {_PEOPLE[0]}"
        raise ReplayError(message) from error
    except pl.exceptions.PolarsError as error:
        message = f"{path} is not the file of the release: {str(error).splitlines()[0]}"
        raise ReplayError(message) from error
    return frame.select(*schema).with_columns(pl.col(pl.String).fill_null("")).rows()  # an empty message stays a message


def _started_at(folder: Path, dialogue_id: str) -> datetime:
    found = _STAMP.search(dialogue_id)
    if found is None:
        message = f"{folder / _DIALOGUES[0]}: the dialogue {dialogue_id!r} has no time in its id (YYYYMMDD-HHMMSS)"
        raise ReplayError(message)
    return datetime.strptime(found.group(1), "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
