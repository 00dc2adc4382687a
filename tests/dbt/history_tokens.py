"""Random payments, refunds, disputes and uses of a tenant."""

import random
from datetime import timedelta

from tests.dbt.history_base import CHANGE, START, History, step

CURRENCY = {"currency": "INR"}


def add_tokens(made: History, tenant: str, rng: random.Random) -> None:
    """All of one tenant."""
    _add_payments(made, tenant, rng)
    _add_money(made, tenant, random.Random(f"money:{tenant}:{rng.random()}"))
    _add_inquiries(made, tenant)
    _add_uses_at_the_change(made, tenant)


def _add_money(made: History, tenant: str, rng: random.Random) -> None:
    """Fees, settlements, transfers, failures, a flood by one contact, three refunds in a row; one tenant holds more than it can use."""
    for row in made.lake["payments"]:
        if row["tenant_id"] == tenant and row["kind"] in ("payment.captured", "payment.listed.captured"):
            row["fee_minor"] = row["amount_minor"] // 50
            row["tax_minor"] = row["fee_minor"] * 18 // 118
    for number in range(15):
        at, amount = START + timedelta(seconds=rng.randint(0, 45 * 86400)), rng.choice((10_000, 300_000, 700_000))
        told = rng.choice((("",), (".listed",), ("", ".listed")))
        for way in told:
            made.add("payments", tenant, f"setl{way}:{number}", at, kind=f"settlement{way}.processed", subject_id=f"setl_{number}",
                     amount_minor=amount, fee_minor=amount // 40, tax_minor=0, **CURRENCY)  # fmt: skip
    for number in range(3):
        made.add("payments", tenant, f"trf:{number}", START + step(rng), kind="transfer.processed", subject_id=f"trf_{number}",
                 payment_id="pay_0", amount_minor=rng.randint(1, 5_000), **CURRENCY)  # fmt: skip
    day = START + timedelta(days=rng.randint(5, 40))
    for number in range(rng.choice((4, 5, 9))):
        for kind in rng.sample(("payment.failed", "payment.listed.failed"), rng.randint(1, 2)):
            made.add("payments", tenant, f"{kind}:{number}", day + timedelta(minutes=number), kind=kind, payment_id=f"fail_{number}",
                     amount_minor=100, **CURRENCY)  # fmt: skip
    for number in range(rng.choice((199, 200, 203))):
        made.add("token_usage", tenant, f"flood:{number}", day + timedelta(seconds=number), kind="enrichment", quantity=1,
                 contact_point_id="flooding")  # fmt: skip
    for number in range(3):
        for kind, at in (("payment.captured", day), ("refund.processed", day + timedelta(days=1))):
            made.add("payments", tenant, f"cycle:{kind}:{number}", at, kind=kind, payment_id=f"cycle_{number}", amount_minor=500,
                     refund_id=f"cycle_{number}" if kind.startswith("refund") else None, fee_minor=0, **CURRENCY)  # fmt: skip
    if tenant in ("tenant_0", "tenant_3"):
        made.add("payments", tenant, "rich", START, kind="payment.captured", payment_id="rich", amount_minor=9_000_000_000,
                 fee_minor=1, **CURRENCY)  # fmt: skip


def _add_inquiries(made: History, tenant: str) -> None:
    """Disputes that are closed: once, twice, after a loss, in the same second as one, before one, and open at the end."""
    day = timedelta(days=1)
    for number, ends in enumerate((
        [("closed", day)], [("closed", day), ("closed", 2 * day)], [("lost", day), ("closed", 2 * day)], [("closed", day), ("lost", day)],
        [("closed", day), ("lost", 2 * day)], [("closed", -day)], [("closed", 90 * day)],
    )):  # fmt: skip
        at, told = START + timedelta(days=8 + number), {"payment_id": f"asked_{number}", "amount_minor": 20_000, **CURRENCY}
        made.add("payments", tenant, f"asked:{number}", at, kind="payment.captured", fee_minor=400, tax_minor=0, **told)
        for place, (kind, after) in enumerate([("created", timedelta()), *ends]):
            made.add("payments", tenant, f"{kind}:{place}:asked_{number}", at + day + after, kind=f"payment.dispute.{kind}",
                     dispute_id=f"inquiry_{number}", **told)  # fmt: skip


def _add_uses_at_the_change(made: History, tenant: str) -> None:
    """Uses of each kind at the instant at which the rates change, and a microsecond to either side."""
    for kind, channel, category in (("llm_input", None, None), ("llm_output", None, None), ("message", "whatsapp", "marketing")):
        for micros in (-1, 0, 1):
            made.add("token_usage", tenant, f"change:{kind}:{micros}", CHANGE + timedelta(microseconds=micros), kind=kind, quantity=1000,
                     model="large" if kind == "llm_input" else None, channel=channel, category=category)  # fmt: skip


def _add_payments(made: History, tenant: str, rng: random.Random) -> None:
    for number in range(40):
        at = START + timedelta(seconds=rng.randint(0, 45 * 86400))
        payment, amount = (
            f"pay_{number}",
            rng.choice((99, 100, 33_333, 100_000, 250_001)),
        )
        currency = "INR" if rng.random() < 0.93 else "EUR"
        told_by = rng.choice(("events", "events", "list", "both"))
        for kind in rng.sample(
            ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid"),
            rng.randint(1, 3) if told_by != "list" else 0,
        ):
            made.add(
                "payments", tenant, f"{kind}:{payment}", at + timedelta(seconds=rng.randint(0, 60)), kind=kind, payment_id=payment,
                amount_minor=amount, currency=currency, captured_at=at if rng.random() < 0.5 else None,
            )  # fmt: skip
        if told_by != "events":  # a list knows when the payment was begun, and what has become of it
            for state in rng.sample(("captured", "refunded", "authorized"), rng.randint(1, 3)):
                made.add(
                    "payments", tenant, f"{state}:{payment}", at - timedelta(seconds=rng.randint(0, 60)), payment_id=payment,
                    kind=f"payment.listed.{state}", amount_minor=amount, currency=currency,
                )  # fmt: skip
        left = amount
        for part in range(rng.choice((0, 0, 1, 2, 3))):
            refunded = min(left, left if rng.random() < 0.4 else rng.randint(1, max(left, 1)))
            left -= refunded
            if refunded > 0:
                told_by = rng.choice(("event", "list", "both"))
                for kind, source in (("refund.processed", "event"), ("refund.listed.processed", "list")):
                    if told_by in {source, "both"}:
                        made.add(
                            "payments", tenant, f"{kind}:{payment}:{part}", at + step(rng), kind=kind, payment_id=payment,
                            refund_id=f"rfnd_{number}_{part}", amount_minor=refunded, currency=currency,
                        )  # fmt: skip
        for dispute in range(rng.choice((0, 0, 0, 1, 2))):
            disputed = rng.choice((amount, amount // 2 + 1))
            begun = at + step(rng)
            kinds = [("created", begun)] if rng.random() < 0.95 else []
            if rng.random() < 0.7:
                kinds.append(
                    (
                        rng.choice(("won", "lost")),
                        begun + rng.choice((timedelta(), timedelta(days=3), -timedelta(seconds=1))),
                    )
                )
            for kind, moment in kinds:
                made.add(
                    "payments", tenant, f"{kind}:{payment}:{dispute}", moment, kind=f"payment.dispute.{kind}", payment_id=payment,
                    dispute_id=f"disp_{number}_{dispute}", amount_minor=disputed, currency=currency,
                )  # fmt: skip
    for number in range(300):
        at = START + timedelta(seconds=rng.randint(0, 50 * 86400))
        kind = rng.choice(("llm_input", "llm_output", "message", "message", "booking"))
        made.add(
            "token_usage", tenant, f"use_{number}", at, kind=kind,
            quantity=rng.randint(0, 400) if kind == "message" else rng.choice((0, 1, 700, 701, 12_345_678)),
            model=rng.choice((None, "large", "small")),
            channel=rng.choice((None, "whatsapp", "instagram")), category=rng.choice((None, "marketing", "utility")),
        )  # fmt: skip
    # A payment event without a payment, and changes of one that was never credited.
    made.add(
        "payments",
        tenant,
        "orphan",
        START,
        kind="payment.captured",
        amount_minor=1,
        currency="INR",
    )
    made.add(
        "payments",
        tenant,
        "lone refund",
        START,
        kind="refund.processed",
        payment_id="pay_x",
        refund_id="r",
        amount_minor=1,
        currency="INR",
    )
