"""Each of the 263 bodies becomes exactly the events that the reviewed table says, or is rejected for the stated reason.

`events.tsv` holds values, not bodies. It began as a draft of `tests.conformance.table`; every row was then read beside its body, and the facts
that a body shows without any model are read a second time by `second_reader`, which shares no code with the decoders.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.conformance.second_reader import facts
from tests.conformance.table import COLUMNS, rows
from tests.outside import PAYLOADS, needs_payloads

TABLE = Path(__file__).with_name("events.tsv")
SOURCES = ("calendly", "gmail", "instagram", "messenger", "razorpay", "whatsapp")


@pytest.fixture(scope="module")
def kept() -> dict[str, list[dict[str, str]]]:
    """The table's rows by file."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            assert tuple(row) == COLUMNS
            found[row["file"]].append(row)
    return found


@needs_payloads
@pytest.mark.parametrize("source", SOURCES)
def test_every_body_becomes_what_the_table_says(source: str, kept: dict[str, list[dict[str, str]]]) -> None:
    paths = sorted((PAYLOADS / source).glob("*.json"))
    assert {f"{source}/{path.stem}" for path in paths} == {file for file in kept if file.startswith(f"{source}/")}
    for path in paths:
        assert list(rows(path)) == kept[f"{source}/{path.stem}"]


@needs_payloads
@pytest.mark.parametrize("source", SOURCES)
def test_a_second_reader_finds_its_facts_in_the_table(source: str, kept: dict[str, list[dict[str, str]]]) -> None:
    count = 0
    for path in sorted((PAYLOADS / source).glob("*.json")):
        here = kept[f"{source}/{path.stem}"]
        if here[0]["table"] == "reject":
            continue
        for fact in facts(source, json.loads(path.read_bytes())):
            count += 1
            found = any(all(value in row[name] if name == "rest" else row[name] == value for name, value in fact.items()) for row in here)
            assert found, f"{path.name}: no row has {fact}"
    assert count >= {"whatsapp": 350, "razorpay": 145, "messenger": 50}.get(source, 2)


def test_the_table_holds_263_bodies_and_says_of_each_row_what_becomes_of_it(kept: dict[str, list[dict[str, str]]]) -> None:
    assert len(kept) == 263
    assert [[row["index"] for row in here] for here in kept.values()] == [[str(n) for n in range(len(here))] for here in kept.values()]
    for row in (row for here in kept.values() for row in here):
        if row["table"] == "reject":
            assert (row["taken"], row["rest"][0]) == ("", "$")
        else:
            assert row["taken"] in {"ok", "bad_contact"}
    rejected = {file: here[0]["kind"] for file, here in kept.items() if here[0]["table"] == "reject"}
    assert rejected == {
        "calendly/invitee_payload_full_fields__araluce-calendlyr": "bad_shape",  # a payload without its envelope
        "gmail/labels.list__universal-inbox-universal-inbox": "not_an_event",
        "gmail/users.getProfile__universal-inbox-universal-inbox": "not_an_event",
        "razorpay/payout.pending-upi__razorpay-markdown-docs": "bad_shape",  # the vendor's page has the amount outside the entity
        "whatsapp/account_update_restricted__Bindambc-whatsapp-business-java-api": "bad_time",  # "expiration": "<TIMESTAMP>"
        "whatsapp/status_sent__restfb-restfb": "bad_time",  # "timestamp": "TIMESTAMP"
    }
