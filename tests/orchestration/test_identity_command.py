"""`flexoraa identity` on a real lake, vault and PostgreSQL: suggestions, decisions with who, when and why, and what is refused."""

import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import sql

from assets.leads import resolve_leads
from core.events import Appointment, ContactEvent, Event, Message, Point
from core.reference import LeadLink
from core.rows import Origin, TenantKeys, columns_of, micros, points_of
from orchestration import cli
from orchestration.identity_command import Desk, Who, open_desk
from orchestration.resources.identity import IdentityError, PostgresIdentity, Wanted
from orchestration.resources.lake import FolderLake
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault

AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LATER = AT + timedelta(days=30)
PHONES = {
    name: Point("phone", f"+9198765432{number:02d}") for number, name in enumerate(("asha", "ashas_other", "ravi", "mover", "moved", "rao"))
}
MAIL = Point("email", "guest@example.com")
MEERA = Who("meera", "she told us on the phone")
Ask = Callable[..., tuple[int, str, str]]

TENANTS = """
version: 1
tenants:
{tenants}
"""
TENANT = """
  - id: {id}
    name: {id}
    timezone: Asia/Kolkata
    default_region: IN
    currency: INR
    connections:
      - {{ id: platform, source: platform, account_id: {id}, verify_secrets: [{{ env: FEED }}], valid_from: 2026-01-01T00:00:00Z }}
    people:
      - {{ id: meera, name: M, email: m@x.example, role: manager, calendar: office, valid_from: 2026-01-01T00:00:00Z }}
      - {{ id: vik, name: V, email: v@x.example, role: viewer, calendar: office, valid_from: 2026-01-01T00:00:00Z }}
      - id: gone
        name: G
        email: g@x.example
        role: admin
        calendar: office
        valid_from: 2026-01-01T00:00:00Z
        valid_to: 2026-02-01T00:00:00Z
    calendars: [{{ id: office, timezone: Asia/Kolkata, week: {{ mon: ["09:00-18:00"] }}, valid_from: 2026-01-01T00:00:00Z }}]
    credit_rates: [{{ currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z }}]
    policies: [{{ calendar: office, valid_from: 2026-01-01T00:00:00Z }}]
    scoring_weights: [{{ typical_deal_minor: 500000000, valid_from: 2026-01-01T00:00:00Z }}]
"""


def common(minute: int, what: str) -> dict[str, Any]:
    return {"source": "whatsapp", "account_id": "1", "event_id": f"{what}{minute}", "occurred_at": AT + timedelta(minutes=minute)}


def message(minute: int, who: str) -> Message:
    return Message(
        **common(minute, "m"), message_id=f"m{minute}", channel="whatsapp", channel_account_id="1", contact=PHONES[who], direction="inbound",
        author_type="lead", message_type="text",
    )  # fmt: skip


def named(minute: int, who: str, name: str) -> ContactEvent:
    return ContactEvent(**common(minute, "n"), kind="profile_named", contact=PHONES[who], name=name)


def take_in(vault: Vault, lake: FolderLake, tenant: str, events: list[Event]) -> dict[Point, str]:
    """Into the lake as intake does; the points' surrogates."""
    points = vault.points(tenant, {point for event in events for point in points_of(event)})
    keys = TenantKeys(tenant, vault.tenant_key(tenant, "ref"), vault.tenant_key(tenant, "fragment"), points)
    with lake.replace(f"{tenant}-segment") as writer:
        for event_type in {type(event) for event in events}:
            of_type = [event for event in events if type(event) is event_type]
            origins = [Origin(micros(event.occurred_at), "body") for event in of_type]
            writer.add(event_type, columns_of(event_type, of_type, origins, "segment", keys))
    return {point: key.point_id for point, key in points.items()}


class Shop(NamedTuple):
    """A tenant with its surrogates by name, and another tenant beside it."""

    settings: Settings
    tenant: str
    other: str
    points: dict[str, str]

    def lead(self, name: str) -> str:
        return f"lead_{self.points[name][3:]}"


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[Settings, State]]:
    """A home of this file's own: what was published in another would forbid decisions as of LATER."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        settings = Settings.load(Path(folder) / "home", {})
        with open_state(settings) as state:
            yield settings, state


@pytest.fixture
def shop(own: tuple[Settings, State], tmp_path: Path) -> Shop:
    """Six phones, of which two share a name and two changed into each other, and a guest who booked by our link."""
    settings, state = own
    vault, lake = Vault(state, settings.master_key()), FolderLake(settings.lake)
    tenant, other = (f"{each}_{uuid.uuid4().hex[:8]}" for each in ("shop", "other"))
    file = tmp_path / "tenants.yaml"
    file.write_text(TENANTS.format(tenants="".join(TENANT.format(id=each) for each in (tenant, other))))
    apply_file(file, state, vault, AT, {"FEED": "secret"})
    lake.prepare()
    told: list[Event] = [message(n, who) for n, who in enumerate(("asha", "ashas_other", "ravi", "mover", "rao"))]
    told += [named(10, "asha", "Asha Rao"), named(11, "ashas_other", "Rao Asha"), named(12, "ravi", "Ravi")]
    told.append(ContactEvent(**common(20, "c"), kind="number_changed", contact=PHONES["mover"], other=PHONES["moved"]))
    rao = vault.points(tenant, [PHONES["rao"]])[PHONES["rao"]].point_id
    told.append(Appointment(**common(30, "b"), kind="booked", appointment_id="a1", utm_lead_id=f"lead_{rao[3:]}", contact=MAIL))
    points = take_in(vault, lake, tenant, told)
    foreign = take_in(vault, lake, other, [message(0, "asha")])
    by_name = {name: points[point] for name, point in PHONES.items()}
    return Shop(settings, tenant, other, by_name | {"mail": points[MAIL], "foreign": foreign[PHONES["asha"]]})


@pytest.fixture
def points(shop: Shop) -> dict[str, str]:
    return shop.points


@pytest.fixture
def desk(shop: Shop) -> Iterator[Desk]:
    with open_desk(shop.settings, LATER) as opened:
        yield opened


@pytest.fixture
def ask(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """`flexoraa identity …` in this process, as of LATER."""

    def run(*arguments: str) -> tuple[int, str, str]:
        as_of = [] if "--as-of" in arguments else ["--as-of", LATER.isoformat()]
        monkeypatch.setattr(sys, "argv", ["flexoraa", "identity", *arguments, *as_of, "--home", str(shop.settings.home)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        written = capsys.readouterr()
        return int(stopped.value.code or 0), written.out, written.err

    return run


def joined(desk: Desk, shop: Shop) -> dict[str, LeadLink]:
    """The tenant's links by kind."""
    return {each.kind: each for each in desk.resolution.links if each.tenant_id == shop.tenant}


def test_from_suggestion_to_one_lead_and_back(ask: Ask, shop: Shop, points: dict[str, str]) -> None:
    code, out, _ = ask("suggest", "--tenant", shop.tenant, "--json")
    (suggestion,) = json.loads(out)
    leads = [f"lead_{points[each][3:]}" for each in ("asha", "ashas_other")]
    assert (code, suggestion["evidence"], suggestion["score"]) == (0, "same_name", 0.5)
    assert sorted((suggestion["lead_id"], suggestion["other_lead_id"])) == sorted(leads)
    assert "asha" not in out.lower().replace("asha_", "")
    assert "Rao" not in out

    link = suggestion["suggestion"]
    code, out, _ = ask("accept", link[:12], "--by", "meera", "--reason", MEERA.reason, "--json")
    assert (code, json.loads(out)) == (0, {"link_id": link, "tenant_id": shop.tenant, "verdict": "accepted", "leads": [leads[0]],
                                           "decided_at": LATER.isoformat(), "decided_by": "meera"})  # fmt: skip
    shown = json.loads(ask("show", leads[1], "--json")[1])  # by its old id
    assert (shown["lead_id"], shown["aliases"]) == (leads[0], [leads[1]])
    assert [point["point_id"] for point in shown["points"]] == [points["asha"], points["ashas_other"]]
    assert [(each["decided_by"], each["reason"], each["verdict"]) for each in shown["decisions"]] == [("meera", MEERA.reason, "accepted")]
    assert json.loads(ask("suggest", "--tenant", shop.tenant, "--json")[1]) == []
    before = json.loads(ask("show", leads[1], "--json", "--as-of", (LATER - timedelta(microseconds=1)).isoformat())[1])
    assert (before["lead_id"], before["decisions"]) == (leads[1], [])

    code, out, _ = ask("revoke", link, "--by", "meera", "--reason", "it was her daughter")
    assert (code, out) == (0, f"{link} revoked: {' and '.join(sorted(leads))} are two leads. Counts from the next `flexoraa run` on.\n")
    listed = json.loads(ask("list", "--tenant", shop.tenant, "--json")[1])["decisions"]
    assert [(each["verdict"], each["reason"]) for each in listed] == [("accepted", MEERA.reason), ("revoked", "it was her daughter")]
    assert json.loads(ask("suggest", "--tenant", shop.tenant, "--json")[1]) == []
    assert "it was her daughter" in ask("list", "--tenant", shop.tenant, "--all")[1]


def test_strong_evidence_joins_by_itself_and_is_revoked_like_the_rest(desk: Desk, shop: Shop, points: dict[str, str]) -> None:
    kinds = joined(desk, shop)
    assert set(kinds) == {"number_changed", "utm_lead"}
    assert {kinds["utm_lead"].one_id[5:], kinds["utm_lead"].other_id[5:]} == {points["rao"][3:], points["mail"][3:]}
    assert desk.revoke(kinds["utm_lead"].link_id, MEERA)["leads"] == sorted(f"lead_{points[each][3:]}" for each in ("rao", "mail"))
    answer = desk.revoke(kinds["number_changed"].link_id, MEERA)
    assert answer["leads"] == sorted(f"lead_{points[each][3:]}" for each in ("mover", "moved"))
    assert [row.valid_to for row in desk.resolution.points if row.point_id == points["mover"]] == [None]
    assert desk.accept([kinds["number_changed"].link_id], MEERA)["leads"] == [f"lead_{points['mover'][3:]}"]
    assert [row.valid_to for row in desk.resolution.points if row.point_id == points["mover"]] == [AT + timedelta(minutes=20)]


def test_two_points_or_leads_are_accepted_and_a_link_between_them_that_does_not_hold_alone_is_told(
    desk: Desk, shop: Shop, points: dict[str, str]
) -> None:
    first = desk.accept([points["asha"], f"lead_{points['ravi'][3:]}"], MEERA)
    desk.accept([points["ravi"], points["rao"]], MEERA)
    third = desk.accept([points["ashas_other"], points["asha"][:10]], MEERA)
    assert len(desk.lead(points["asha"])[2]) == 5
    assert desk.revoke(third["link_id"], MEERA)["leads"] == sorted(f"lead_{points[each][3:]}" for each in ("asha", "ashas_other"))
    assert len(desk.revoke(first["link_id"], MEERA)["leads"]) == 2


@pytest.mark.parametrize(
    ("command", "ids", "said"),
    [
        ("accept", ["asha", "asha"], "are the same"),
        ("accept", ["rao", "mail"], "are one lead already"),
        ("accept", ["asha", "cp_nothing"], "there is no lead or contact point 'cp_nothing'"),
        ("accept", ["asha", "cp_"], "there is no lead or contact point 'cp_'"),
        ("accept", ["link_0000"], "there is no link or suggestion 'link_0000'"),
        ("accept", ["utm"], "joins already, by strong evidence"),
        ("accept", ["asha", "foreign"], "no lead has two tenants"),
        ("accept", ["mover", "asha"], "nobody holds"),
        ("revoke", ["link_0000"], "there is no link or suggestion"),
        ("revoke", ["suggestion"], "joins nobody, so there is nothing to revoke"),
        ("dismiss", ["utm"], "joins two leads and is no suggestion"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason_and_nothing_is_written(
    desk: Desk, shop: Shop, points: dict[str, str], command: str, ids: list[str], said: str
) -> None:
    meant = points | {"utm": joined(desk, shop)["utm_lead"].link_id, "suggestion": desk.suggestions(shop.tenant)[0].link_id}
    given = [meant.get(each, each) for each in ids]
    with pytest.raises(IdentityError, match=said):
        _ = desk.accept(given, MEERA) if command == "accept" else getattr(desk, command)(given[0], MEERA)
    assert desk.records(shop.tenant) == []


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (Who("nobody", "x"), "shop_.* has nobody with the id 'nobody'.*its people are meera, vik"),
        (Who("gone", "x"), "shop_.* has nobody with the id 'gone'"),
        (Who("vik", "x"), "vik is a viewer"),
        (Who("meera", "  "), "needs a reason"),
        (Who("meera", "x" * 2_001), "needs a reason of 1 to 2,000"),
    ],
)
def test_who_may_not_decide_or_says_no_reason_is_refused(desk: Desk, shop: Shop, points: dict[str, str], who: Who, said: str) -> None:
    with pytest.raises(IdentityError, match=said):
        desk.accept([points["asha"], points["ravi"]], who)
    assert desk.records(shop.tenant) == []


def test_deciding_the_same_twice_is_refused_and_says_who_did(desk: Desk, shop: Shop, points: dict[str, str]) -> None:
    link = desk.accept([points["asha"], points["ravi"]], MEERA)["link_id"]
    with pytest.raises(IdentityError, match=f"was accepted already, by meera at {LATER.isoformat()[:10]}"):
        desk.accept([link], MEERA)
    desk.revoke(link, MEERA)
    with pytest.raises(IdentityError, match="was revoked already, by meera"):
        desk.revoke(link, MEERA)
    suggestion = desk.suggestions(shop.tenant)[0].link_id
    desk.dismiss(suggestion, MEERA)
    assert desk.suggestions(shop.tenant) == []
    with pytest.raises(IdentityError, match="was dismissed already"):
        desk.dismiss(suggestion, MEERA)
    desk.accept([suggestion], MEERA)
    assert [each.decision.verdict for each in desk.records(shop.tenant)] == ["accepted", "revoked", "dismissed", "accepted"]


def test_a_shortened_id_that_may_be_several_is_refused(desk: Desk, shop: Shop) -> None:
    with pytest.raises(IdentityError, match="there is no link or suggestion 'link_'"):
        desk.revoke("link_", MEERA)
    from orchestration.identity_command import _meant

    with pytest.raises(IdentityError, match="'link_abcd' may be 7 of them: link_abcd0, .*link_abcd4 …"):
        _meant("link_abcd", [f"link_abcd{n}" for n in range(7)], "link", "")


def test_of_two_who_decide_at_once_one_is_told(desk: Desk, shop: Shop, points: dict[str, str]) -> None:
    identity: PostgresIdentity = desk.identity
    ends = (f"lead_{points['asha'][3:]}", f"lead_{points['ravi'][3:]}")
    wanted = Wanted(shop.tenant, "link_x", "accepted", *ends, LATER, "meera", "y", 0)
    identity.decide(wanted)
    with pytest.raises(IdentityError, match="decided on by somebody else"):
        identity.decide(wanted)


def test_a_decision_is_only_added_sealed_and_seen_by_its_tenant_alone(desk: Desk, shop: Shop, points: dict[str, str]) -> None:
    desk.accept([points["asha"], points["ravi"]], MEERA)
    for statement in (
        "update ops.identity_decisions set decided_by = 'x'",
        "delete from ops.identity_decisions",
        "truncate ops.identity_decisions",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), desk.state.psycopg() as connection:
            connection.execute(statement)  # type: ignore[call-overload]
    with desk.state.psycopg() as connection:
        (row,) = connection.execute("select t::text from ops.identity_decisions t where tenant_id = %s", [shop.tenant]).fetchall()
        (raw,) = connection.execute("select reason_enc from ops.identity_decisions where tenant_id = %s", [shop.tenant]).fetchone() or (
            b"",
        )
    assert "told us" not in row[0]
    assert b"told us" not in raw
    for tenant, rows in ((shop.tenant, 1), (shop.other, 0)):
        with desk.state.owner() as connection:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(f"flexoraa_tenant_{tenant}")))
            assert connection.execute("select count(*) from ops.identity_decisions").fetchone() == (rows,)


def test_who_was_erased_is_joined_with_nobody_is_not_suggested_and_takes_the_reason_along(
    desk: Desk, shop: Shop, points: dict[str, str]
) -> None:
    link = desk.accept([points["asha"], points["ravi"]], MEERA)["link_id"]
    with desk.state.psycopg() as connection:
        erase = "update vault.points set lookup = null, value_enc = null, key_wrapped = null where point_id = %s"
        connection.execute(erase, (points["asha"],))
    assert [(each.decision.link_id, each.reason) for each in desk.records(shop.tenant)] == [(link, None)]
    assert desk.suggestions(shop.tenant) == []
    with pytest.raises(IdentityError, match="was erased"):
        desk.accept([points["asha"], points["rao"]], MEERA)
    desk.revoke(link, MEERA)


def test_a_decision_counts_from_its_moment_on_and_is_never_dated_before_what_was_published(
    desk: Desk, shop: Shop, points: dict[str, str]
) -> None:
    desk.accept([points["asha"], points["ravi"]], MEERA)
    for as_of, count in ((LATER - timedelta(microseconds=1), 1), (LATER, 0)):
        resolution = resolve_leads(desk.lake, desk.vault, desk.identity, as_of)
        assert sum(row.lead_id == f"lead_{points['ravi'][3:]}" for row in resolution.points) == count
    with desk.state.psycopg() as connection:
        connection.execute("insert into ops.publications (as_of, published_at, tables) values (%s, %s, '{}')", (LATER, LATER))
    with (
        pytest.raises(IdentityError, match="a decision cannot be dated before that"),
        open_desk(shop.settings, LATER - timedelta(seconds=1), is_deciding=True),
    ):
        pass
    with open_desk(shop.settings, LATER, is_deciding=True) as opened:
        assert opened.as_of == LATER


def test_an_unknown_tenant_and_an_empty_home_are_answered(ask: Ask, shop: Shop) -> None:
    code, out, err = ask("suggest", "--tenant", "nobody")
    assert (code, out) == (2, "")
    assert err.startswith("flexoraa: there is no tenant 'nobody'; there are other_")
    assert ask("list", "--tenant", shop.tenant)[1] == "nobody has decided anything\n"
    assert ask("accept", "a", "b", "c", "--by", "meera", "--reason", "x")[0] == 2


def test_the_command_starts_without_dagster() -> None:
    program = "import orchestration.identity_command, sys; print(sorted({'dagster', 'dbt', 'evidently'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
