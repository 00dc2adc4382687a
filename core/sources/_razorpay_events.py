"""Razorpay's events: which entity of the payload each is about.

Here belongs the list; an event that is not in it is kept as unmodelled. Not here: reading entities.
"""

_PAYMENT = "authorized captured failed pending"
_DISPUTE = "created won lost closed under_review action_required"
_PAYOUT = "pending queued initiated processed reversed rejected failed updated scheduled cancelled"

MONEY_SUBJECTS: dict[str, str] = {
    **{f"payment.{each}": "payment" for each in _PAYMENT.split()},
    "order.paid": "payment",
    "payment_link.paid": "payment",
    "payment_link.partially_paid": "payment",
    "payment_link.cancelled": "payment_link",
    "payment_link.expired": "payment_link",
    "invoice.paid": "payment",
    "invoice.partially_paid": "payment",
    "invoice.expired": "invoice",
    "subscription.charged": "payment",
    "virtual_account.credited": "payment",
    "qr_code.credited": "payment",
    **{f"refund.{each}": "refund" for each in ("created", "processed", "failed", "speed_changed", "arn_updated")},
    **{f"payment.dispute.{each}": "dispute" for each in _DISPUTE.split()},
    "settlement.processed": "settlement",
    **{f"transfer.{each}": "transfer" for each in ("processed", "failed")},
    **{f"payout.{each}": "payout" for each in _PAYOUT.split()},
}
"""Events about an amount."""

LISTED = frozenset({"payment", "refund", "settlement"})
"""Entities that are read from the API's lists. A listed one is a state (`refund.listed.processed`), told where no event told it."""

CAPTURES = frozenset({"payment.captured", "order.paid", "payment_link.paid", "invoice.paid"})
"""Events that tell that a payment was captured; one payment has one to four of them."""

_SUBSCRIPTION = "authenticated activated pending halted cancelled paused resumed updated completed"
_ACCOUNT = """
    under_review needs_clarification activated instantly_activated activated_kyc_pending rejected suspended updated funds_hold funds_unhold
    international_enabled international_disabled payments_enabled payments_disabled
"""
_DOWNTIME = ("started", "updated", "resolved")

ACCOUNT_SUBJECTS: dict[str, str] = {
    **{f"subscription.{each}": "subscription" for each in _SUBSCRIPTION.split()},
    **{f"virtual_account.{each}": "virtual_account" for each in ("created", "closed")},
    **{f"qr_code.{each}": "qr_code" for each in ("created", "closed")},
    **{f"account.{each}": "account" for each in _ACCOUNT.split()},
    **{f"payment.downtime.{each}": "payment.downtime" for each in _DOWNTIME},
    **{f"payout.downtime.{each}": "payout.downtime" for each in _DOWNTIME},
}
"""Events without an amount: a state of something of ours, or of Razorpay's own."""
