"""What delivery is told by the marts: when a vendor lets us not send, and which actions are known to have been sent."""

from datetime import datetime

import duckdb

from tests.dbt.histories import AS_OF, History
from tests.oracles.common import Row

SUSPENDS = {
    "DISABLE": "account", "ACCOUNT_RESTRICTION": "account", "FLAGGED:phone_number_quality_update": "number", "PAUSED": "template",
    "DISABLED": "template", "block": "account",
}  # fmt: skip
LIFTS = {"REINSTATE": "account", "UNFLAGGED": "number", "APPROVED": "template", "unblock": "account"}
RANKS = {"accepted": 0, "sent": 1, "delivered": 2, "failed": 3, "read": 4, "played": 4}


def key(row: Row) -> tuple[str, str, str, str | None]:
    subject = row.get("template_name") if row["kind"].startswith("message_template") else row.get("subject")
    return row["tenant_id"], row["source"], row["account_id"], subject


def test_a_suspension_lasts_until_the_next_word_that_lifts_it_or_the_moment_that_was_named(
    built: duckdb.DuckDBPyConnection, made: History
) -> None:
    news = made.known("account_events", AS_OF)
    expected: dict[tuple[str, str], tuple[str, str | None, datetime, datetime | None]] = {}
    for row in news:
        scope = SUSPENDS.get(row.get("state")) or SUSPENDS.get(f"{row.get('state')}:{row['kind']}")
        if scope is None:
            continue
        lifts = [
            each["occurred_at"]
            for each in news
            if LIFTS.get(each.get("state")) == scope and key(each) == key(row) and each["occurred_at"] > row["occurred_at"]
        ]
        until = min([*lifts, *([row["expires_at"]] if row.get("expires_at") else [])], default=None)
        if until is None or until > row["occurred_at"]:
            expected[row["tenant_id"], row["event_id"]] = (scope, key(row)[3], row["occurred_at"], until)
    found = built.execute("select tenant_id, suspension_id, scope, subject, since_at, until_at from marts.act_suspensions").fetchall()
    assert {row[:2]: row[2:] for row in found} == expected
    assert {(row[0], row[3] is None) for row in expected.values()} >= {
        ("account", True), ("account", False), ("number", False), ("template", False), ("template", True),
    }  # fmt: skip


def test_an_action_has_the_best_word_that_any_status_or_receipt_brought_back(built: duckdb.DuckDBPyConnection, made: History) -> None:
    told = [
        (row["tenant_id"], row["action_id"], row["status"], row["occurred_at"])
        for row in made.known("message_statuses", AS_OF)
        if row.get("action_id") and row["status"] in RANKS
    ] + [
        (row["tenant_id"], row["action_id"], "accepted", row["occurred_at"])
        for row in made.known("messages", AS_OF)
        if row.get("action_id") and row["direction"] == "outbound"
    ]
    expected = {}
    for tenant, action in {row[:2] for row in told}:
        own = [row for row in told if row[:2] == (tenant, action)]
        best = max((row[2] for row in own), key=RANKS.__getitem__)
        expected[tenant, action] = ("read" if best == "played" else best, min(row[3] for row in own))
    found = built.execute("select tenant_id, action_id, status, told_at from marts.act_receipts").fetchall()
    assert {row[:2]: row[2:] for row in found} == expected
    assert {row[2] for row in found} == {"accepted", "sent", "delivered", "failed", "read"}
