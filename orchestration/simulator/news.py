"""What WhatsApp says of the tenant's own account: quality, templates, flows, a ban and its end.

Here belongs a month in the life of an account; planted as the news that must be found. Not here: what people write.
"""

from datetime import datetime, timedelta
from typing import Any

from orchestration.simulator.business import RECOVERY_TEMPLATE, Business
from orchestration.simulator.post import Post
from orchestration.simulator.truth import TenantTruth
from orchestration.simulator.whatsapp import News

_TEMPLATE_ID = 1689556908129832


def tell(business: Business, post: Post, truth: TenantTruth, start: datetime, end: datetime) -> None:
    """All of it, over the days of the simulation."""
    step = (end - start) / 12
    template: dict[str, Any] = {
        "message_template_id": _TEMPLATE_ID,
        "message_template_name": RECOVERY_TEMPLATE,
        "message_template_language": "en",
        "reason": "NONE",
    }
    number = {"display_phone_number": business.display_number}
    ban_date = {"waba_ban_date": "NOVEMBER 9, 2026"}
    month: tuple[tuple[int, str, dict[str, Any], str], ...] = (
        (1, "message_template_status_update", template | {"event": "APPROVED"}, "APPROVED"),
        (2, "phone_number_quality_update", number | {"event": "ONBOARDING", "current_limit": "TIER_1K"}, "ONBOARDING"),
        (3, "flows", {"event": "FLOW_STATUS_CHANGE", "flow_id": "66", "old_status": "DRAFT", "new_status": "PUBLISHED"}, "PUBLISHED"),
        (4, "phone_number_quality_update", number | {"event": "FLAGGED", "current_limit": "TIER_1K"}, "FLAGGED"),
        (5, "message_template_status_update", template | {"event": "PAUSED", "reason": "LOW_QUALITY"}, "PAUSED"),
        (6, "account_update", _banned("SCHEDULE_FOR_DISABLE", ban_date), "SCHEDULE_FOR_DISABLE"),
        (7, "account_update", _banned("DISABLE", ban_date), "DISABLE"),
        (8, "account_update", _banned("REINSTATE", ban_date), "REINSTATE"),
        (9, "phone_number_quality_update", number | {"event": "UNFLAGGED", "current_limit": "TIER_1K"}, "UNFLAGGED"),
        (10, "message_template_status_update", template | {"event": "APPROVED"}, "APPROVED"),
        (11, "account_alerts", {"alert_info": {"alert_type": "OBA_APPROVED", "alert_severity": "INFORMATIONAL"}}, "OBA_APPROVED"),
    )
    for day, field, value, state in month:
        at = (start + day * step + timedelta(minutes=business.index)).replace(microsecond=0)
        truth.news[f"whatsapp {field} {state}"] += 1
        post.news(News(at, field, value))


def _banned(state: str, date: dict[str, str]) -> dict[str, Any]:
    return {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state} | date}
