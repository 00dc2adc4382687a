"""The tenants file: what is taken, and that everything wrong is told at once, with its line."""

import json
from pathlib import Path

import msgspec
import pytest

from core.reference import (
    Connection,
    CreditRate,
    Experiment,
    ExperimentMetric,
    Person,
    Policy,
    RecoveryStep,
    ScoringWeights,
    TokenThreshold,
)
from core.tenancy import json_schema
from core.tenancy_checks import check
from core.tenancy_file import Reading, read
from core.tenancy_rows import calendars, reference_rows, row_key
from tests.core.tenants_text import GOOD, changed, gmail, problems

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "tenants.yaml"


def test_a_mailbox_that_is_read_needs_a_secret_of_ours_and_only_such_a_one_is_watched() -> None:
    secret, token, topic = "verify_secrets: [{env: T}]", "access_token: {env: G}", "watch_topic: projects/p/topics/t"
    assert gmail(f"{secret}, {token}, {topic}") == gmail(f"{secret}, {token}") == gmail(secret) == []
    assert [each.partition(": ")[2] for each in gmail(token)] == [
        "tenants[0].connections[2]: verify_secrets is missing: its secret signs the mails that are fetched with the access_token"
    ]
    assert "only a Gmail connection with an access_token has a watch_topic" in gmail(f"{secret}, {topic}")[0]
    assert "watch_topic" in gmail(f"{secret}, {token}, watch_topic: gmail")[0]
    razorpay = "{id: rzp, source: razorpay,"
    assert "watch_topic" in changed(razorpay, f"{razorpay} {topic},")[0]


def good() -> Reading:
    reading = read(GOOD)
    assert problems(GOOD) == []
    return reading


def test_the_published_schema_is_that_of_the_code() -> None:
    published = (ROOT / "docs" / "tenants.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(json_schema(), indent=2, sort_keys=True) + "\n", "write core.tenancy.json_schema() there again"


def test_the_example_is_without_problems() -> None:
    assert problems(EXAMPLE.read_text(encoding="utf-8")) == []


def test_rows_of_the_example() -> None:
    tenant = read(EXAMPLE.read_text(encoding="utf-8")).tenants[0]
    rows = reference_rows(tenant)
    assert [(row.connection_id, row.account_id) for row in rows if isinstance(row, Connection)] == [
        ("whatsapp_main", "102290129340398"),
        ("whatsapp_main", "106540352242922"),
        ("razorpay_main", "acc_AshaHomes0001"),
        ("gmail_sales", "sales@asha-homes.example"),
        ("calendly_main", "ASHAHOMESORGANIZATION"),
        ("platform", "asha_homes"),
    ]
    assert [(row.attempt, row.wait_seconds) for row in rows if isinstance(row, RecoveryStep)] == [
        (1, 86400),
        (2, 259200),
        (3, 604800),
    ]
    assert [(row.percent, row.action) for row in rows if isinstance(row, TokenThreshold)] == [
        (20, "alert"), (10, "top_up_link"), (0, "pause"),
    ]  # fmt: skip
    assert [row.allocation_ppm for row in rows if isinstance(row, Experiment)] == [500_000, 500_000]
    assert len([row for row in rows if isinstance(row, CreditRate)]) == 2
    (policy,) = [row for row in rows if isinstance(row, Policy)]
    assert (policy.conversation_gap_seconds, policy.hot_unassigned_seconds, policy.recovery_expires_seconds) == (
        259200,
        900,
        604800,
    )
    (weights,) = [row for row in rows if isinstance(row, ScoringWeights)]
    assert (weights.intent_points, weights.hot_at, weights.warm_at) == (30, 70, 40)
    keys = [(type(row), row_key(row), getattr(row, "valid_from", None)) for row in rows]
    assert len(set(keys)) == len(keys)
    (calendar,) = calendars(tenant)
    assert calendar.week[5] == ((600, 840),)


def test_no_row_holds_a_name_an_address_or_a_secret() -> None:
    for tenant in read(EXAMPLE.read_text(encoding="utf-8")).tenants.values():
        rows = reference_rows(tenant)
        stored = msgspec.json.encode([rows, calendars(tenant)]).decode()
        for hidden in ("Meera", "Nair", "asha.example", "Asha Homes", "SECRET", "hooks"):
            assert hidden not in stored
        if tenant.people:
            assert any(isinstance(row, Person) for row in rows)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("source: razorpay", "source: razorpai", "f.yaml:10: tenants[0].connections[1].source: 'razorpai' is none of"),
        ("source: razorpay", "source: razorpai", "did you mean razorpay?"),
        ("currency: INR\n", "currency: INR\n    curency: INR\n", "f.yaml:8: tenants[0].curency: no such field; did you mean currency?"),
        ("name: Acme", "# none", "f.yaml:3: tenants[0]: the field name is missing"),
        ('account_id: "1"', "account_id: 1", "f.yaml:9: tenants[0].connections[0].account_id: Expected `str`, got `int`: put it in quotes"),
        ("id: acme", "id: Acme", "f.yaml:3: tenants[0].id: Expected `str` matching regex"),
        ("timezone: Asia/Kolkata\n", "timezone: Asia/Kolkatta\n", "f.yaml:5: tenants[0].timezone: no such time zone: 'Asia/Kolkatta'; did you mean"),
        ("timezone: Asia/Kolkata,", "timezone: Mars,", "f.yaml:12: tenants[0].calendars[0].timezone: no such time zone"),
        ("default_region: IN", "default_region: XX", "f.yaml:6: tenants[0].default_region: XX is no region"),
        ("numbers: [\"2\"], ", "", "f.yaml:9: tenants[0].connections[0]: a WhatsApp connection needs numbers"),
        ('["2"]', '["2", "2"]', "f.yaml:9: tenants[0].connections[0]: the account 2 is here twice"),
        ("account_id: acc_1, ", "account_id: acc_1, numbers: [\"9\"], ", "only a WhatsApp connection has numbers"),
        ("account_id: acc_1, verify_secrets: [{env: A}]", "account_id: acc_1", "verify_secrets is missing"),
        ("[{env: A}]", "[hunter2]", "f.yaml:9: tenants[0].connections[0].verify_secrets[0]: a secret is never written here"),
        ("[{env: A}]", "[{env: A, file: b}]", "verify_secrets[0]: a secret is either {env: NAME} or {file: PATH}"),
        ("[{env: A}]", "[{env: A}, {env: B}, {env: C}]", "verify_secrets: Expected `array` of length <= 2"),
        ("calendar: office", "calendar: ofice", "f.yaml:14: tenants[0].policies[0].calendar: there is no calendar ofice; did you mean office?"),
        ('"09:00-18:00"', '"9-18"', "f.yaml:12: tenants[0].calendars[0].week.mon[0]: '9-18' is no shift"),
        ("id: rzp", "id: wa", "f.yaml:10: tenants[0].connections[1]: wa: the range overlaps that of connections[0]"),
        ('["2"]', '["2"', "f.yaml:9: not YAML: "),
        ("version: 1", "version: 2", "f.yaml:1: version: 2 is none of 1"),
        ("tokens_per_major: 10", "tokens_per_major: ten", "f.yaml:18: tenants[0].credit_rates[0].tokens_per_major: Expected `int`, got `str`"),
        ("currency: INR,", "currency: EUR,", "tenants[0].connections[0]: credit_rates in INR do not cover the time from 2026-01-01T00:00:00+00:00 on"),
        ("100, valid_from: 2026-01-01T00:00:00Z", "100, valid_from: 2026-01-01T00:00:01Z",
         "scoring_weights do not cover the time from 2026-01-01T00:00:00+00:00 to 2026-01-01T00:00:01+00:00"),
        ("typical_deal_minor: 100", "typical_deal_minor: 100, hot_at: 40", "hot_at (40) must be above warm_at (40)"),
        ("typical_deal_minor: 100", "typical_deal_minor: 100, intent_points: 31", "the points of the five factors add up to 101, not 100"),
        ("office, valid_from: 2026-01-01T00:00:00Z", "office, valid_from: 2026-01-01", "valid_from: Invalid RFC3339 encoded datetime: write it like"),
        ("office, valid_from: 2026-01-01T00:00:00Z", "office, valid_from: 2026-01-01T00:00:00Z, valid_to: 2026-01-01T00:00:00Z",
         "f.yaml:14: tenants[0].policies[0].valid_to: the range ends before it begins"),
        ("{currency: INR", "{currency: INR, currency: INR", "f.yaml:18: tenants[0].credit_rates[0].currency: this field is here twice"),
    ],
)  # fmt: skip
def test_one_mistake(old: str, new: str, expected: str) -> None:
    found = changed(old, new)
    assert any(expected in each for each in found), found


def test_a_written_secret_is_not_repeated() -> None:
    assert "hunter2" not in "".join(changed("[{env: A}]", "[hunter2]"))


def test_every_mistake_is_told_at_once() -> None:
    text = (
        GOOD.replace("source: razorpay", "source: razorpai")
        .replace("name: Acme", "nmae: Acme\n    name: Acme")
        .replace("timezone: Asia/Kolkata\n", "timezone: Nowhere\n")
        .replace("typical_deal_minor: 100", "typical_deal_minor: 100, intent_points: 31")
        .replace("calendar: office", "calendar: other")
    )
    found = problems(text)
    assert len(found) == 5, found
    assert [int(each.split(":")[1]) for each in found] == [4, 6, 11, 15, 17]


def test_a_part_that_could_not_be_read_is_not_called_missing() -> None:
    found = changed("tokens_per_major: 10", "tokens_per_major: ten")
    assert len(found) == 1


def test_experiments() -> None:
    text = GOOD + (
        "    experiments:\n"
        "      - {id: greeting, primary_metric: won, valid_from: 2026-01-01T00:00:00Z, variants: [\n"
        "          {name: one, allocation_percent: 33.3}, {name: two, allocation_percent: 33.3}]}\n"
    )
    found = problems(text)
    assert any("the allocations add up to 66.6 %, not 100 %" in each for each in found)
    assert any("exactly one variant is the control" in each for each in found)


NONSENSE = [
    "", "[", "a: b: c", "- 1", "just text", "version: 1", "tenants: 3", "version: 1\ntenants: []", "a: &a [*a]", "{1: {2: [x]}}",
    "version: 1\ntenants: [null, 3, {}]", "!!python/object/apply:os.system [ls]", "\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_a_problem_and_never_a_crash(text: str) -> None:
    assert problems(text)


def test_a_good_file_has_lines_for_all_its_parts() -> None:
    assert good().lines["tenants", 0, "credit_rates", 0, "currency"] == 18


EXPERIMENT = """\
    experiments:
      - id: greeting
        primary_metric: replied
        guardrails: [{metric: opt_outs, margin: 0.1}]
        cost_cap: {metric: tokens, cap: 400}
        metrics: [{name: tokens, kind: ratio, event: "@tokens", denominator_event: "@inbound", window_days: 7}]
        variants: [{name: plain, allocation_percent: 50, is_control: true}, {name: personal, allocation_percent: 50}]
        valid_from: 2026-02-01T00:00:00Z
"""


def test_every_metric_that_an_experiment_names_becomes_a_row_with_its_part() -> None:
    reading = read(GOOD + EXPERIMENT)
    assert not [*reading.problems, *check(reading)]
    rows = {row.metric: row for row in reference_rows(reading.tenants[0]) if isinstance(row, ExperimentMetric)}
    assert {name: (row.role, row.kind, row.event, row.window_seconds, row.is_higher_better, row.cap) for name, row in rows.items()} == {
        "replied": ("primary", "proportion", "replied", 30 * 86_400, True, None),
        "opt_outs": ("guardrail", "proportion", "opt_outs", 30 * 86_400, False, None),
        "tokens": ("cost", "ratio", "@tokens", 7 * 86_400, False, 400.0),
    }
    assert rows["opt_outs"].margin == 0.1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("kind: ratio", "kind: mean", "a ratio has a denominator_event, and nothing else has one"),
        ('event: "@tokens"', 'event: "@token"', "there is no event @token"),
        ("metric: opt_outs", "metric: replied", "replied is the primary metric already"),
        ("window_days: 7", "window_days: 7, covariate_days: 3", "only a mean is compared"),
        ("allocation_percent: 50, is_control: true}, {name: personal, allocation_percent: 50",
         "allocation_percent: 0, is_control: true}, {name: personal, allocation_percent: 100", "the control has no allocation"),
        ("metrics: [", "metrics: [{name: tokens}, ", "the metric tokens is defined twice"),
    ],
)  # fmt: skip
def test_an_experiment_that_cannot_be_judged_is_refused(old: str, new: str, reason: str) -> None:
    assert old in EXPERIMENT
    assert any(reason in problem for problem in problems(GOOD + EXPERIMENT.replace(old, new)))
