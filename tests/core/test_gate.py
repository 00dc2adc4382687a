"""The gate before every send: each reason to refuse, what lets go of a held action, and every boundary to the microsecond."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Action
from core.gate import HUMAN_AGENT, Limits, Standing, Suspension, may_send, quiet_until, tag_of

DUE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
END = DUE + timedelta(hours=2)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
HUMAN = '{"author_type": "human"}'


def action(kind: str = "send_template", **changes: object) -> Action:
    values = {
        "action_id": "a1", "tenant_id": "t", "rule": "cold_recovery", "kind": kind, "channel": "whatsapp", "lead_id": "l1",
        "point_id": "p1", "account_id": "106", "template_name": "recovery_1", "subject": "l1", "trigger": "e1", "details": "{}",
        "due_at": DUE, "expires_at": END,
    }  # fmt: skip
    return Action(**(values | changes))  # type: ignore[arg-type]


GOOD = Standing(is_wanted=True, is_opted_out=False, is_erased=False, is_point_held=True, expires_at=END)


@pytest.mark.parametrize(
    ("now", "state"), [(DUE, None), (END - TICK, None), (END, "expired"), (END + TICK, "expired")], ids=["due", "last", "end", "after"]
)
@pytest.mark.parametrize("kind", ["send_template", "notify", "pause"])
def test_the_end_itself_is_too_late(kind: str, now: datetime, state: str | None) -> None:
    outcome = may_send(action(kind), GOOD, now)
    assert (outcome and outcome.state) == state


def test_the_newest_marts_may_shorten_an_action_and_never_lengthen_it() -> None:
    closed, longer = END - timedelta(hours=1), END + timedelta(hours=1)
    assert may_send(action("notify"), GOOD._replace(expires_at=closed), closed - TICK) is None
    outcome = may_send(action("notify"), GOOD._replace(expires_at=closed), closed)
    assert outcome is not None
    assert outcome.state == "expired"
    outcome = may_send(action("notify"), GOOD._replace(expires_at=longer), END)
    assert outcome is not None
    assert outcome.state == "expired"


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        (GOOD._replace(is_erased=True), "erased"),
        (GOOD._replace(is_opted_out=True), "opted out"),
        (GOOD._replace(is_point_held=False), "no longer holds"),
        (GOOD._replace(is_wanted=False, expires_at=None), "no longer stands"),
    ],
)
def test_a_lead_is_not_written_to_against_its_standing(standing: Standing, word: str) -> None:
    outcome = may_send(action(), standing, DUE)
    assert outcome is not None
    assert outcome.state == "cancelled"
    assert word in outcome.reason


@given(st.tuples(*[st.booleans()] * 4).map(lambda each: Standing(*each, expires_at=END)), st.timedeltas(timedelta(0), timedelta(hours=4)))
def test_a_send_to_a_lead_passes_only_where_all_is_well(standing: Standing, after: timedelta) -> None:
    well = standing.is_wanted and standing.is_point_held and not standing.is_erased and not standing.is_opted_out
    assert (may_send(action(), standing, DUE + after) is None) == (well and DUE + after < END)


def test_the_tenants_own_people_hear_of_a_lead_whatever_it_wants_unless_the_reason_is_gone() -> None:
    standing = Standing(is_wanted=True, is_opted_out=True, is_erased=True, is_point_held=False)
    assert may_send(action("notify", lead_id=None, point_id=None), standing, DUE) is None
    outcome = may_send(action("notify"), standing._replace(is_wanted=False), DUE)
    assert outcome is not None
    assert outcome.state == "cancelled"


def text(channel: str = "whatsapp", **changes: object) -> Action:
    return action("send_text", channel=channel, **changes)


def held(outcome: object, word: str, release: str, not_before: datetime | None = None) -> bool:
    state, reason, *_ = outcome  # type: ignore[misc]
    return (state, outcome.release, outcome.not_before) == ("held", release, not_before) and word in reason  # type: ignore[attr-defined]


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "instagram"])
def test_free_form_needs_an_open_window_up_to_its_last_microsecond(channel: str) -> None:
    until = DUE + HOUR
    standing = GOOD._replace(window_until=until)
    assert may_send(text(channel), standing, until - TICK) is None
    for moment in (until, until + TICK):
        assert held(may_send(text(channel), standing, moment), "window is closed", "the lead writes again")
    assert held(may_send(text(channel), GOOD, DUE), "window is closed", "the lead writes again")


def test_a_whatsapp_template_needs_no_window_and_elsewhere_there_are_no_templates() -> None:
    assert may_send(action(), GOOD, DUE) is None
    assert held(may_send(action(channel="messenger"), GOOD, DUE), "window is closed", "the lead writes again")
    assert may_send(text("gmail"), GOOD, DUE) is None  # mail knows no windows


@pytest.mark.parametrize("channel", ["messenger", "instagram"])
def test_what_a_person_wrote_may_go_seven_days_with_its_tag_and_nothing_else_may(channel: str) -> None:
    service, human = DUE, DUE + HOUR
    standing = GOOD._replace(window_until=service, human_until=human)
    late = text(channel, details=HUMAN)
    assert tag_of(late, standing, service - TICK) is None
    assert (may_send(late, standing, service), tag_of(late, standing, service)) == (None, HUMAN_AGENT)
    assert may_send(late, standing, human - TICK) is None
    assert held(may_send(late, standing, human), "window is closed", "the lead writes again")
    assert held(may_send(text(channel), standing, service), "window is closed", "the lead writes again")
    assert tag_of(text(channel), standing, service) is None


def test_whatsapp_knows_no_human_tag() -> None:
    standing = GOOD._replace(window_until=DUE, human_until=END)
    assert held(may_send(text(details=HUMAN), standing, DUE), "window is closed", "the lead writes again")
    assert tag_of(text(details=HUMAN), standing, DUE) is None


def test_a_suspended_account_holds_all_that_reaches_leads_until_it_is_reinstated() -> None:
    ban = Suspension("account", None, "DISABLE", DUE, DUE + HOUR)
    standing = GOOD._replace(suspensions=(ban,))
    assert may_send(action(), standing, DUE - TICK) is None
    for moment in (DUE, DUE + HOUR - TICK):
        assert held(may_send(action(), standing, moment), "DISABLE", "the account is reinstated", DUE + HOUR)
    assert may_send(action(), standing, DUE + HOUR) is None
    open_ended = GOOD._replace(suspensions=(ban._replace(until_at=None),))
    assert held(may_send(action(), open_ended, DUE + HOUR), "DISABLE", "the account is reinstated")
    assert may_send(action("notify"), open_ended, DUE) is None  # people must hear of it just then


def test_a_paused_template_holds_its_own_messages_alone() -> None:
    standing = GOOD._replace(suspensions=(Suspension("template", "recovery_1", "PAUSED", DUE),), window_until=END)
    assert held(may_send(action(), standing, DUE), "template recovery_1", "the template recovery_1 is reinstated")
    assert may_send(action(template_name="other"), standing, DUE) is None
    assert may_send(text(template_name="recovery_1"), standing, DUE) is None  # a text of ours by the same name


@pytest.mark.parametrize(("balance", "may"), [(1, True), (0, False), (-5, False), (None, True)])
def test_an_empty_wallet_holds_and_none_at_all_does_not(balance: int | None, may: bool) -> None:
    outcome = may_send(action(), GOOD._replace(balance_tokens=balance), DUE)
    assert (outcome is None) == may
    assert may or held(outcome, f"{balance} tokens", "the wallet is topped up")
    assert may_send(action("top_up_link"), GOOD._replace(balance_tokens=balance), DUE) is None


def test_the_least_that_a_wallet_must_hold_is_the_tenants_to_say() -> None:
    standing = GOOD._replace(balance_tokens=100, limits=Limits(least_tokens=100))
    assert may_send(action(), standing, DUE) is not None
    assert may_send(action(), standing._replace(balance_tokens=101), DUE) is None


def test_the_gap_between_two_messages_ends_with_its_last_microsecond() -> None:
    standing = GOOD._replace(last_sent_at=DUE)
    free_at = DUE + timedelta(seconds=6)
    assert held(may_send(action(), standing, free_at - TICK), "just now", "the gap between two messages", free_at)
    assert may_send(action(), standing, free_at) is None
    assert may_send(action(), standing._replace(limits=Limits(contact_gap_seconds=0)), DUE) is None


def test_a_full_day_and_a_full_portfolio_hold_until_there_is_room() -> None:
    free_at = DUE + HOUR
    for full, word, release in (
        (GOOD._replace(day_frees_at=free_at), "to this person in 24 hours", "the first of them is 24 hours old"),
        (GOOD._replace(users_free_at=free_at), "the portfolio's limit", "one of them was last written to 24 hours ago"),
    ):
        assert held(may_send(action(), full, free_at - TICK), word, release, free_at)
        assert may_send(action(), full, free_at) is None


def test_an_answer_within_the_window_does_not_count_for_the_portfolio() -> None:
    standing = GOOD._replace(users_free_at=DUE + HOUR, window_until=DUE + TICK)
    assert may_send(action(), standing, DUE) is None
    assert may_send(action(), standing, DUE + TICK) is not None
    assert may_send(text(), standing, DUE) is None


def test_quiet_hours_hold_until_they_end_and_spare_what_the_lead_waits_for() -> None:
    limits = Limits("Asia/Kolkata", "13:00-15:30", frozenset({"appointment_reminder"}))  # 07:30 to 10:00 UTC
    standing, ends = GOOD._replace(limits=limits), DUE + HOUR
    assert held(may_send(action(), standing, ends - TICK), "quiet hours", "quiet hours end", ends)
    assert may_send(action(), standing, ends) is None
    assert may_send(action("send_reminder", rule="appointment_reminder"), standing, DUE) is None
    assert may_send(action("notify"), standing, DUE) is None


def test_what_may_not_be_sent_before_its_end_expires_at_once_and_says_why() -> None:
    standing = GOOD._replace(suspensions=(Suspension("account", None, "RESTRICTION", DUE, END),))
    outcome = may_send(action(), standing, DUE)
    assert outcome is not None
    assert outcome.state == "expired"
    assert "RESTRICTION" in outcome.reason
    sooner = standing._replace(suspensions=(Suspension("account", None, "RESTRICTION", DUE, END - TICK),))
    assert held(may_send(action(), sooner, DUE), "RESTRICTION", "the account is reinstated", END - TICK)


MOMENTS = st.sampled_from([DUE + each for each in (-HOUR, -TICK, timedelta(), TICK, HOUR, 3 * HOUR)])
MAYBE = st.none() | MOMENTS
STANDINGS = st.builds(
    Standing, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.none() | st.just(END), st.none(), MAYBE, MAYBE,
    st.lists(
        st.builds(Suspension, st.sampled_from(["account", "number", "template"]), st.sampled_from(["recovery_1", "other"]), st.just("why"), MOMENTS, MAYBE),
        max_size=2,
    ).map(tuple),
    st.none() | st.integers(-1, 1), MAYBE, MAYBE, MAYBE,
    st.builds(Limits, st.just("Asia/Kolkata"), st.none() | st.just("14:00-15:00"), st.just(frozenset({"routing"})), st.just(9), st.just(6), st.none(), st.just(0)),
)  # fmt: skip
ACTIONS = st.builds(
    action, st.sampled_from(["send_template", "send_text", "send_reminder", "notify"]), rule=st.sampled_from(["cold_recovery", "routing"]),
    channel=st.sampled_from(["whatsapp", "messenger", "webhook", "gmail"]), details=st.sampled_from(["{}", HUMAN]),
)  # fmt: skip


def plain(what: Action, who: Standing, now: datetime) -> str | None:  # noqa: PLR0912 — one question after the other is the point
    """The gate once more, as one would say it: the state that it comes to."""
    if now >= what.expires_at or (who.expires_at and now >= who.expires_at):
        return "expired"
    if not who.is_wanted:
        return "cancelled"
    if what.kind == "notify":
        return None
    if who.is_erased or who.is_opted_out or not who.is_point_held:
        return "cancelled"
    waits: list[datetime | None] = []
    by_template = what.channel == "whatsapp" and what.kind == "send_template"
    for ban in who.suspensions:
        is_on = ban.since_at <= now and not (ban.until_at and ban.until_at <= now)
        if is_on and (ban.scope != "template" or (by_template and ban.subject == what.template_name)):
            waits.append(ban.until_at)
    if what.channel in ("whatsapp", "messenger") and what.kind in ("send_text", "send_template") and not by_template:
        ends = [who.window_until]
        if what.details == HUMAN and what.channel == "messenger":
            ends.append(who.human_until)
        if not [end for end in ends if end and end > now]:
            waits.append(None)
    if who.balance_tokens is not None and who.balance_tokens <= 0:
        waits.append(None)
    minutes = now.astimezone(ZoneInfo("Asia/Kolkata"))
    if who.limits.quiet_hours and what.rule != "routing" and minutes.hour == 14:
        waits.append(minutes.replace(hour=15, minute=0, second=0, microsecond=0).astimezone(UTC))
    if by_template and who.users_free_at and who.users_free_at > now and not (who.window_until and who.window_until > now):
        waits.append(who.users_free_at)
    if who.day_frees_at and who.day_frees_at > now:
        waits.append(who.day_frees_at)
    if who.last_sent_at and (now - who.last_sent_at).total_seconds() < 6:
        waits.append(who.last_sent_at + timedelta(seconds=6))
    if not waits:
        return None
    first = waits[0]
    return "expired" if first is not None and first >= END else "held"


@given(ACTIONS, STANDINGS, MOMENTS)
def test_the_gate_says_what_a_plain_reading_of_the_rules_says(what: Action, who: Standing, now: datetime) -> None:
    outcome = may_send(what, who, now)
    assert (outcome and outcome.state) == plain(what, who, now)
    if outcome is not None:
        assert outcome.reason
        assert (outcome.state == "held") == (outcome.release is not None)
        if outcome.not_before is not None:
            assert now < outcome.not_before < END


@given(ACTIONS, STANDINGS, MOMENTS)
def test_a_lifted_fact_never_closes_the_gate(what: Action, who: Standing, now: datetime) -> None:
    if may_send(what, who, now) is None:
        better = who._replace(suspensions=(), balance_tokens=None, last_sent_at=None, day_frees_at=None, users_free_at=None)
        assert may_send(what, better._replace(is_opted_out=False, is_erased=False, window_until=END), now) is None


@given(
    st.sampled_from(["Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.sampled_from(["21:00-09:00", "13:30-14:00", "00:00-07:15", "22:00-24:00"]),
    st.sampled_from(
        [
            datetime(2026, 3, 8, tzinfo=UTC),
            datetime(2026, 3, 29, tzinfo=UTC),
            datetime(2026, 10, 25, tzinfo=UTC),
            datetime(2026, 4, 5, tzinfo=UTC),
        ]
    ),
    st.integers(-36 * 60, 36 * 60),
)
def test_quiet_hours_are_those_of_the_wall_clock_also_where_clocks_change(zone: str, hours: str, day: datetime, minutes: int) -> None:
    def is_quiet(moment: datetime) -> bool:
        local = moment.astimezone(ZoneInfo(zone))
        begin, end = ((int(each[:2]) * 60 + int(each[3:])) for each in hours.split("-"))
        now = local.hour * 60 + local.minute
        return begin <= now < end if begin < end else now >= begin or now < end

    now = day + timedelta(minutes=minutes)
    until = quiet_until(hours, zone, now)
    assert (until is not None) == is_quiet(now)
    if until is not None:
        assert is_quiet(until - TICK)
        assert not is_quiet(until)
        assert all(is_quiet(now + timedelta(minutes=each)) for each in range(int((until - now).total_seconds() // 60)))
