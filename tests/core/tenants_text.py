"""A tenants file without problems, and what is told of one that is changed. Not here: what must be told."""

from core.tenancy_checks import check
from core.tenancy_file import read

GOOD = """\
version: 1
tenants:
  - id: acme
    name: Acme
    timezone: Asia/Kolkata
    default_region: IN
    currency: INR
    connections:
      - {id: wa, source: whatsapp, account_id: "1", numbers: ["2"], verify_secrets: [{env: A}], valid_from: 2026-01-01T00:00:00Z}
      - {id: rzp, source: razorpay, account_id: acc_1, verify_secrets: [{env: A}], valid_from: 2026-01-01T00:00:00Z}
    calendars:
      - {id: office, timezone: Asia/Kolkata, week: {mon: ["09:00-18:00"]}, valid_from: 2026-01-01T00:00:00Z}
    policies:
      - {calendar: office, valid_from: 2026-01-01T00:00:00Z}
    scoring_weights:
      - {typical_deal_minor: 100, valid_from: 2026-01-01T00:00:00Z}
    credit_rates:
      - {currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z}
"""


def problems(text: str) -> list[str]:
    reading = read(text)
    for finding in check(reading):
        reading.add(finding.path, finding.reason)
    return [problem.text("f.yaml") for problem in sorted(reading.problems)]


def changed(old: str, new: str, count: int = 1) -> list[str]:
    assert old in GOOD
    return problems(GOOD.replace(old, new, count))


def gmail(fields: str) -> list[str]:
    line = "      - {id: mail, source: gmail, account_id: a@b.co, valid_from: 2026-01-01T00:00:00Z, " + fields + "}\n"
    return problems(GOOD.replace("    calendars:", line + "    calendars:"))
