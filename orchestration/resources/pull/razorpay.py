"""Razorpay's lists of payments, refunds and settlements, page by page.

Here belongs what is asked. Lists are newest first and an entity's `created_at` never changes, so under an end that has passed, `skip`
counts over the same entities whenever reading goes on. Not here: what a listed entity says (`core.sources.razorpay`).
"""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from orchestration.resources.pull.accounts import Account
from orchestration.resources.pull.handover import Page
from orchestration.resources.pull.http import Api, Fixed

RESOURCES = ("payments", "refunds", "settlements")
PAGE = 100
"""The most that Razorpay gives at once."""

NEEDS = "read access to payments, refunds and settlements"


class _Answer(Struct):
    items: list[Any]


def authorization(account: Account) -> Fixed:
    """`key_id:key_secret` is sent as Razorpay wants it, any other text as the token of a partner."""
    credential = account.credential
    if b":" in credential:
        return Fixed(f"Basic {base64.b64encode(credential).decode()}")
    return Fixed(f"Bearer {credential.decode(errors='replace')}")


def pages(api: Api, account: Account, resource: str, since: datetime, until: datetime, skip: int) -> Iterator[Page[int]]:
    """Pages of what was made in [`since`, `until`), the cursor being how many were seen.

    Whether the vendor's limits belong to the range is not said anywhere: a second more on either side is asked for, and repeats are known.
    """
    span = {"from": str(int(since.timestamp()) - 1), "to": str(int(until.timestamp()) + 1), "count": str(PAGE)}
    while True:
        answer, found = api.get_both(f"/{resource}", span | {"skip": str(skip)}, _Answer)
        items = found.items
        if not items:  # a page that is short need not be the last
            return
        skip += len(items)
        yield Page([msgspec.json.encode({"account_id": account.account_id, **answer})], len(items), skip)
