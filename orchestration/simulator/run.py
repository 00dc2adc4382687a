"""One simulation from its arguments to its folder.

Here belongs the order in which things are made. Not here: any of the things.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from core.ports import Progress
from core.sources.platform import Contact
from orchestration.resources.progress import TerminalProgress
from orchestration.simulator import trials
from orchestration.simulator.billing import THRESHOLDS, Billing, heartbeats
from orchestration.simulator.broken import Breaker
from orchestration.simulator.business import (
    PROFILES,
    Business,
    make_business,
    write_tenants,
)
from orchestration.simulator.chance import chance
from orchestration.simulator.lead import Lead
from orchestration.simulator.merchant import Merchant
from orchestration.simulator.others import Others, tell_others
from orchestration.simulator.people import NAMES, phone, user_id
from orchestration.simulator.phrases import LANGUAGES
from orchestration.simulator.post import Post
from orchestration.simulator.segments import Place, Segments
from orchestration.simulator.spending import Spending
from orchestration.simulator.stories import choose, won
from orchestration.simulator.truth import Manifest, TenantTruth, WantedAction

MIN_DAYS = 7
OTHERS = 8
"""People on each other channel, unless told otherwise: each story of each channel once."""
_LINES_A_LEAD = 21  # measured over all stories
_LINES_IN_MEMORY = 50_000  # about 60 MB while they are sorted
_CANARY = 1  # the lead of each tenant whose name, phone and words are to be searched for


class SimulationError(ValueError):
    """Arguments that no simulation can be made of; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _World:
    seed: int
    start: datetime
    end: datetime
    leads: int
    others: int
    days: int
    manifest: Manifest
    segments: Segments


def simulate(  # noqa: PLR0913 — these are the command's options
    out: Path,
    *,
    tenants: int,
    leads: int,
    days: int,
    seed: int,
    end_at: datetime,
    receiver_url: str | None,
    others: int = OTHERS,
    is_huge_body_planted: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Write `tenants.yaml`, `secrets/`, `inbox/` and `truth.json` into `out`, and return what is planted.

    Args:
        out: folder, made if needed; the same arguments give the same bytes in it.
        tenants: how many tenants.
        leads: leads of each tenant; from 40 on, each kind of truth is planted in each tenant.
        days: how long before `end_at` the traffic starts; at least 7, and 12 for every story.
        seed: of all chance.
        end_at: the moment of which the truth speaks; nothing arrives after it.
        others: people of each tenant on each of Instagram, Messenger, Gmail and Calendly; with 8, every story is told.
        receiver_url: where alerts and sends go, as `http://host:port`; None leaves destinations out.
        is_huge_body_planted: add one body of more than 10 MB.
        progress: shows how far it is.

    Returns:
        The manifest, as `truth.json` holds it.

    Raises:
        SimulationError: fewer than 7 days, or an `end_at` without an offset.
    """
    if days < MIN_DAYS:
        message = f"simulate at least {MIN_DAYS} days, not {days}: shorter ones hold no story that is over"
        raise SimulationError(message)
    if end_at.tzinfo is None:
        message = f"end_at needs an offset: {end_at}"
        raise SimulationError(message)
    end = end_at.astimezone(UTC).replace(microsecond=0)
    start = end - timedelta(days=days)
    expected = tenants * (leads + 4 * others) * _LINES_A_LEAD
    lines_each = max(200, min(20_000, expected // 24))
    time_slice = timedelta(days=days) / max(1, expected // _LINES_IN_MEMORY)
    segments = Segments(Place(out / "inbox", out / ".spool", "sim-", 0.3), chance(seed, "segments"), start, lines_each, time_slice)
    manifest = Manifest(seed=seed, end_at=end, days=days)
    world = _World(seed, start, end, leads, others, days, manifest, segments)
    businesses = [make_business(index, seed, start, end) for index in range(tenants)]
    write_tenants(
        out, businesses, receiver_url, {each.id: [trials.trial_entry(each, start)] for each in businesses if leads >= trials.LEAST_LEADS}
    )
    manifest.tenants[""] = TenantTruth()
    for business in businesses:
        _tenant(world, business, progress or TerminalProgress(quiet=True))
    segments.close()
    if is_huge_body_planted and businesses:
        _huge(world, businesses[0])
    manifest.segments, manifest.lines = segments.count, segments.lines
    manifest.bodies = segments.lines - manifest.rejects()["bad_line"] - manifest.rejects()["invalid_utf8"]
    manifest.save(out / "truth.json")
    return manifest


def _tenant(world: _World, business: Business, progress: Progress) -> None:
    truth = world.manifest.tenants[business.id] = TenantTruth(leads=world.leads)
    post = Post(business, world.end, world.segments, truth, chance(world.seed, "post", business.index))
    stories = list(choose(world.leads, world.days, chance(world.seed, "stories", business.index)))
    for index in progress.over(f"simulating {business.id}", range(len(stories))):
        stories[index].tell(_lead(world, business, post, truth, index))
    canaries, number = world.manifest.canaries, business.index
    email, contact = f"quokka.payer{number}@canary.example", f"+{phone(business.profile.region, world.leads + 7, number)}"
    canaries.emails.append(email)
    canaries.phones.append(contact)
    merchant = Merchant(business, post, truth, chance(world.seed, "merchant", number), email, contact)
    tokens = merchant.live(world.start)
    billing = Billing(business, post, truth, chance(world.seed, "billing", number), email=email, contact=contact)
    spending = Spending(business, post, truth, Contact("phone", _lead(world, business, post, truth, 0).phone), world.end)
    spending.live(billing)
    billing.settle(world.start, world.end, tokens)
    spending.close(billing.bulks)
    known = [_lead(world, business, post, truth, index).phone for index, story in enumerate(stories) if story.tell is won]
    tell_others(Others(world.seed, world.start, world.end, world.others), business, post, truth, known)
    heartbeats(business, post, world.start, world.end)
    if world.leads >= trials.LEAST_LEADS:
        offset = chance(world.seed, "numbers", number).randrange(10**6)
        phones = (f"+{phone(business.profile.region, world.leads + 100 + index, offset)}" for index in count())
        trials.live(business, post, truth, chance(world.seed, "trial", number), (world.start, world.end), phones)
    post.flush()
    _break(world, business, post, truth)
    world.manifest.actions += _wanted(business.id, truth)


def _lead(world: _World, business: Business, post: Post, truth: TenantTruth, index: int) -> Lead:
    rng = chance(world.seed, "lead", business.index, index)
    region, numbers = business.profile.region, chance(world.seed, "numbers", business.index).randrange(10**6)
    digits = phone(region, index, numbers)
    if index == 0:  # one person is a lead of every tenant, and must be another lead in each
        digits = phone(PROFILES[0].region, 0, chance(world.seed, "numbers", 0).randrange(10**6))
    first, last = NAMES[region]
    lead = Lead(
        business=business,
        post=post,
        truth=truth,
        rng=rng,
        name=f"{rng.choice(first)} {rng.choice(last)}",
        digits=digits,
        user_id=user_id(region, index, business.index + world.seed),
        language=rng.choice(LANGUAGES if region == "IN" else LANGUAGES[:1]),
        start=world.start,
        end=world.end,
        now=world.start,
    )
    if index == _CANARY:
        lead.name, lead.secret = _canary_name(business), _canary_text(world, business)
        canaries = world.manifest.canaries
        canaries.names.append(lead.name)
        canaries.phones.append(lead.phone)
        canaries.texts.append(lead.secret)
        canaries.emails.append(_canary_email(business))
    return lead


def _canary_name(business: Business) -> str:
    return f"Zephyrine Quillfeather-{business.index} Übermut"


def _canary_email(business: Business) -> str:
    return f"zq{business.index}@canary.example"


def _canary_text(world: _World, business: Business) -> str:
    return f"My locker code is 48-QUOKKA-{world.seed}-{business.index}, write to {_canary_email(business)}"


def _break(world: _World, business: Business, post: Post, truth: TenantTruth) -> None:
    digits = _lead(world, business, post, truth, 0).digits
    text = f"Broken but private: WOMBAT-{world.seed}-{business.index}"
    world.manifest.canaries.texts.append(text)
    breaker = Breaker(business, digits, text, chance(world.seed, "broken", business.index))
    for at, broken in breaker.all(world.start + timedelta(hours=3), world.end):
        post.put(broken.line, at)
        if broken.reason:
            (truth if broken.is_tenant_known else world.manifest.tenants[""]).rejects[broken.reason] += 1
        for table in broken.tables:
            truth.accepted[table] += 1


def _huge(world: _World, business: Business) -> None:
    breaker = Breaker(business, "", "", chance(world.seed, "huge"))
    broken = breaker.huge(world.end - timedelta(hours=1))
    world.segments.write_one([broken.line], ".ndjson.zst")
    world.segments.lines += 1
    world.manifest.tenants[""].rejects["too_large"] += 1


def _wanted(tenant: str, truth: TenantTruth) -> list[WantedAction]:
    leaks = [WantedAction(tenant, "lead_leak", "notify", each.phone, leak=each.kind) for each in sorted(truth.leaks_open)]
    due = [WantedAction(tenant, "cold_recovery", "send_template", each.phone, attempt=each.attempt) for each in sorted(truth.recovery_due)]
    crossed = [WantedAction(tenant, "token_threshold", THRESHOLDS[each], percent=each) for each in truth.thresholds_crossed]
    late = [WantedAction(tenant, "sla_breach", "notify", each.phone, metric=each.metric) for each in sorted(truth.sla_overdue)]
    warned = [WantedAction(tenant, "sla_warning", "notify", each.phone, metric=each.metric) for each in sorted(truth.sla_nearly_due)]
    signs = [WantedAction(tenant, "token_abuse", "notify", signal=each.signal) for each in sorted(truth.signs) if each.is_fresh]
    run_out = [WantedAction(tenant, "token_run_out", "notify")] if truth.runs_out else []
    killed = [WantedAction(tenant, "experiment_switch", "kill_experiment", experiment_id=each) for each in truth.killed]
    return leaks + due + crossed + signs + run_out + late + warned + killed
