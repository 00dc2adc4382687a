"""`make demo`: simulated tenants, from raw webhooks to delivered actions, and what was planted beside what was found.

Here belongs the demo's order of steps and what it prints. Every step is what a user would run; nothing is done behind the commands' backs.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestration.planted import Finding, compare
from orchestration.receiver import Receiver
from orchestration.resources.clock import FixedClock
from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.platform import open_platform
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.settings import SETTINGS_FILE, Settings
from orchestration.simulator import simulate
from orchestration.tenant_command import apply_tenants

END_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TENANTS, LEADS, OTHERS, DAYS, SEED = 4, 45, 8, 21, 7
PLANTED_CHECKS = {
    "marts/fct_billing_reconciliation: fct_billing_reconciliation_has_no_difference",
    "ops/experiment_kills: no_experiment_is_killed",
}
"""Checks that warn because of what was planted: the provider owes money, and paid out what nobody paid; an experiment does harm."""


def run_demo(home: Path, *, quiet: bool) -> int:
    """Run it in a fresh home; returns 0 where everything planted was found, else 1."""
    console, started = Console(stderr=False, soft_wrap=True), time.monotonic()
    home = home.absolute()
    if home.exists():
        if not (home / "demo").is_dir() and any(home.iterdir()):
            console.print(f"{home} is no demo's folder; give another with --home", style="red")
            return 2
        shutil.rmtree(home)
    traffic = home / "demo" / "traffic"
    Settings.load(home).make_folders()
    (home / "demo").mkdir(mode=0o700)
    with Receiver(home / "demo" / "received.ndjson") as receiver:
        settings = replace(Settings.load(home), whatsapp_url=receiver.url)
        people = f"({LEADS} on WhatsApp, {OTHERS} each on Instagram, Messenger, Gmail, Calendly)"
        console.print(f"1  simulate   {TENANTS} tenants × {people} over {DAYS} days, seed {SEED}")
        manifest = simulate(
            traffic,
            tenants=TENANTS,
            leads=LEADS,
            others=OTHERS,
            days=DAYS,
            seed=SEED,
            end_at=END_AT,
            receiver_url=receiver.url,
            is_huge_body_planted=True,
        )
        console.print(f"   → {manifest.segments} segments, {manifest.lines:,} lines, {manifest.bodies:,} webhooks")
        # whoever opens this home later must not write to the real WhatsApp in the name of made-up tenants
        ways = ("WHATSAPP", "MESSENGER", "INSTAGRAM", "GMAIL", "RAZORPAY", "CALENDLY")
        lines = "".join(f"FLEXORAA_{each}_URL={receiver.url}\n" for each in ways)
        (home / SETTINGS_FILE).write_text(lines, encoding="utf-8")
        console.print("2  apply      flexoraa tenant apply traffic/tenants.yaml")
        console.print(f"   → {apply_tenants(settings, traffic / 'tenants.yaml')}")
        for segment in sorted((traffic / "inbox").iterdir()):
            shutil.copy(segment, settings.inbox / segment.name)
        told = f"flexoraa run --as-of {END_AT:%Y-%m-%dT%H:%M:%SZ}"
        console.print(f"3  run        {told}, while a file of the lake is cut short, as by a copy that broke off")
        with open_platform(settings, FixedClock(END_AT), TerminalProgress(quiet=quiet)) as platform:
            prepare_dagster(settings, platform.state.libpq_url)
            platform.dbt.warm()
            from orchestration.run import run_everything  # imports Dagster, which reads the home that was just prepared

            cut = settings.lake / "messages" / "event_date=2026-11-19" / "copy-of-a-backup.parquet"
            cut.parent.mkdir(parents=True)
            cut.write_bytes(b"PAR1")
            failed = run_everything(platform)
            if not failed.errors:
                return 1
            console.print(f"   → fails, as it must: {'; '.join(failed.errors).replace(str(home), _short(home))}")
            cut.unlink()
            console.print(f"4  run        {told}, after that file was removed")
            summary = run_everything(platform)
            unplanted = set(summary.checks_failed) - PLANTED_CHECKS
            console.print(
                f"   → {summary.segments} segments in {summary.rounds} rounds, {summary.checks_passed} checks passed, "
                f"{len(summary.checks_failed) - len(unplanted)} warned as planted, {len(unplanted)} failed, {summary.seconds:.0f} s"
            )
            if summary.errors:
                console.print("\n".join(summary.errors), style="red")
                return 1
            findings = compare(manifest, platform, receiver.requests)
            refusals = platform.ledger.refusals()
    _print(console, settings, findings, summary.conservation, refusals)
    console.print(f"\n{time.monotonic() - started:.0f} s in all.")
    ok = all(each.is_equal for each in findings) and not unplanted
    return 0 if ok else 1


def _print(
    console: Console, settings: Settings, findings: list[Finding], conservation: dict[str, dict[str, int]], refusals: Mapping[str, int]
) -> None:
    planted = Table("kind", "planted", "found", "", title="Planted against found", title_justify="left")
    for each in findings:
        planted.add_row(each.kind, f"{each.planted:,}", f"{each.found:,}", "equal" if each.is_equal else "DIFFERENT")
    console.print(planted)
    for each in findings:
        for word, values in (("missing", each.missing), ("surplus", each.surplus)):
            if values:
                console.print(f"{each.kind}: {word}: {'; '.join(values)}", style="red")
    counts = Table("source", "received", "accepted", "duplicate", "rejected", title="Events taken in", title_justify="left")
    for source, row in conservation.items():
        counts.add_row(source, *(f"{number:,}" for number in row.values()))
    console.print(counts)
    rejects = ", ".join(f"{reason} {count}" for reason, count in refusals.items())
    program, home = _program(), _short(settings.home)
    console.print(f"Rejects, each in quarantine with its reason: {rejects}")
    console.print(f"Tables      {program} sql 'select * from marts.fct_lead_leaks limit 5' --home {home}")
    console.print(f"Reports     {_short(settings.reports / 'index.html')}")
    console.print(f"State       {program} status --home {home}")
    console.print(f"Dagster UI  {program} up --home {home}   → http://127.0.0.1:3000")
    console.print(f"Delivered   {_short(settings.home / 'demo' / 'received.ndjson')}")


def _program() -> str:
    """The command as a user at the project's root types it."""
    return ".venv/bin/flexoraa" if (Path.cwd() / ".venv" / "bin" / "flexoraa").exists() else "flexoraa"


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
