"""No string of a body reaches a column that is kept in the clear unless it has the look of a code or an id.

Each string of each seed, key or value, is replaced by words that are nobody's code; whatever plain column then holds them would hold somebody's
name or words in the lake. Accounts are left out: intake takes only those that a tenant connected.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from core.columns import columns
from core.events import Event
from core.sources import sources
from tests.core.fuzz_seeds import SEEDS
from tests.outside import PAYLOADS, needs_payloads

CANARY = "Asha Rao, +91 98123 45678, asha@home.example"
_NOT_OF_THE_BODY = {"account_id", "channel_account_id"}


def spoiled(node: Any, canary: str) -> Iterator[Any]:
    """The same tree with one string replaced, each in turn, also a key."""
    if isinstance(node, str):
        yield canary
    elif isinstance(node, list):
        for n, child in enumerate(node):
            yield from ([*node[:n], new, *node[n + 1 :]] for new in spoiled(child, canary))
    elif isinstance(node, dict):
        for key, child in node.items():
            yield from (node | {key: new} for new in spoiled(child, canary))
            yield {canary if name == key else name: copy.copy(value) for name, value in node.items()}


def leaks(source: str, body: Any, canary: str = CANARY) -> set[str]:
    """Plain columns that hold any of the canary's words, whichever string of the body it took the place of."""
    found: set[str] = set()
    for tree in spoiled(body, canary):
        for told in sources()[source].decode(json.dumps(tree).encode(), {}):
            if not isinstance(told, Event):
                assert "Asha" not in told.detail
                continue
            plain = [each for each in columns(type(told)) if each.field and each.role == "plain" and each.field not in _NOT_OF_THE_BODY]
            found |= {f"{told.table}.{each.field}" for each in plain if "Asha" in str(getattr(told, each.field))}
    return found


@pytest.mark.parametrize("source", sorted(SEEDS))
def test_what_people_say_reaches_no_plain_column(source: str) -> None:
    assert set().union(*(leaks(source, body) for body in SEEDS[source])) == set()


@needs_payloads
@pytest.mark.parametrize("source", ["calendly", "gmail", "instagram", "messenger", "razorpay", "whatsapp"])
def test_nor_from_any_body_that_others_wrote(source: str) -> None:
    bodies = [json.loads(path.read_bytes()) for path in sorted((PAYLOADS / source).glob("*.json"))]
    assert set().union(*(leaks(source, body) for body in bodies)) == set()


def test_the_search_finds_what_is_kept_in_the_clear() -> None:
    """What has the look of a code is kept in the clear, so the same search finds it."""
    assert leaks("razorpay", SEEDS["razorpay"][0], "AshaCode") == {
        "payments.order_id",
        "payments.payment_id",
        "payments.subject_id",
        "unmodelled.kind",
    }
