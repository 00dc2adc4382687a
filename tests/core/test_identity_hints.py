"""Weak evidence: who is suggested to be one person, why, with what score, and who is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.identity import resolve
from core.identity_evidence import Decision, Strength, StrengthError, Strengths, Verdict, pair_id
from core.identity_hints import Suggestion, Told, suggest, traits, words_of
from core.identity_holders import Link, Sighting
from tests.core.identity_histories import STRENGTHS

AT = datetime(2026, 3, 1, tzinfo=UTC)


def suggested(
    names: dict[str, str], emails: dict[str, str] | None = None, *, links: tuple[Link, ...] = (), decisions: tuple[Decision, ...] = (),
    tenants: dict[str, str] | None = None,
) -> list[Suggestion]:  # fmt: skip
    """Who is suggested; every point is seen a minute after the one before it."""
    emails, tenants = emails or {}, tenants or {}
    points = sorted(names | emails)
    sightings = [Sighting(tenants.get(point, "t"), point, AT + timedelta(minutes=n)) for n, point in enumerate(points)]
    resolution = resolve(sightings, links, dict.fromkeys(points, "phone"), STRENGTHS, decisions)
    told = [
        [Told(tenants.get(point, "t"), point, text, AT + timedelta(hours=1)) for point, text in each.items()] for each in (names, emails)
    ]
    return suggest(resolution, traits(*told), STRENGTHS)


def pairs(found: list[Suggestion]) -> list[tuple[str, str, float, tuple[str, ...]]]:
    return [(each.lead_id[5:], each.other_lead_id[5:], each.score, each.evidence) for each in found]


def test_two_leads_of_one_full_name_are_suggested() -> None:
    assert pairs(suggested({"cp_a": "Asha Rao", "cp_b": "RAO, Asha 🌸", "cp_c": "Ravi Iyer"})) == [("a", "b", 0.5, ("same_name",))]


def test_a_first_name_alone_is_no_evidence() -> None:
    assert suggested({"cp_a": "Asha", "cp_b": "Asha", "cp_c": "Dr Asha"}) == []


def test_a_name_that_many_share_counts_less_and_then_not_at_all() -> None:
    three = suggested(dict.fromkeys(("cp_a", "cp_b", "cp_c"), "Asha Rao"))
    assert [each.score for each in three] == [0.25] * 3
    assert len(suggested(dict.fromkeys([f"cp_{n}" for n in range(5)], "Asha Rao"))) == 10
    assert suggested(dict.fromkeys([f"cp_{n}" for n in range(6)], "Asha Rao")) == []


def test_addresses_of_one_name_and_a_name_in_an_address_are_evidence_and_shared_mailboxes_are_not() -> None:
    same = suggested({}, {"cp_a": "asha.rao@example.com", "cp_b": "asha.rao+home@example.org"})
    assert pairs(same) == [("a", "b", 0.6, ("same_email_name",))]
    assert pairs(suggested({"cp_a": "Asha Rao"}, {"cp_b": "rao_asha87@example.com"})) == [("a", "b", 0.5, ("name_in_email",))]
    assert suggested({}, {"cp_a": "sales@example.com", "cp_b": "sales@example.org", "cp_c": "al@x.com", "cp_d": "al@y.com"}) == []


def test_several_kinds_of_evidence_add_up() -> None:
    found = suggested({"cp_a": "Asha Rao", "cp_b": "Asha Rao"}, {"cp_a": "asha.rao@x.com", "cp_b": "asha.rao@y.com"})
    assert pairs(found) == [("a", "b", round(1 - 0.5 * 0.5 * 0.4, 4), ("name_in_email", "same_email_name", "same_name"))]


def test_who_is_one_lead_already_or_of_another_tenant_is_not_suggested() -> None:
    names = {"cp_a": "Asha Rao", "cp_b": "Asha Rao"}
    assert suggested(names, links=(Link("t", "linked", "cp_a", "cp_b", AT),)) == []
    assert suggested(names, tenants={"cp_b": "u"}) == []


@pytest.mark.parametrize("verdict", ["revoked", "dismissed", "accepted"])
def test_what_was_decided_is_not_suggested_again_and_names_alone_never_merge(verdict: Verdict) -> None:
    names = {"cp_a": "Asha Rao", "cp_b": "Asha Rao"}
    decided = Decision(1, "t", pair_id("t", "lead_b", "lead_a"), verdict, "lead_a", "lead_b", AT)
    assert suggested(names, decisions=(decided,)) == []
    assert [each.link_id for each in suggested(names)] == [decided.link_id]


def test_who_changed_to_a_number_that_another_lead_used_is_suggested_as_one_person() -> None:
    change = Link("t", "number_changed", "cp_a", "cp_b", AT + timedelta(days=1), "whatsapp")
    sightings = [Sighting("t", "cp_a", AT, (AT,)), Sighting("t", "cp_b", AT, (AT,))]
    resolution = resolve(sightings, [change], dict.fromkeys(("cp_a", "cp_b"), "phone"), STRENGTHS)
    assert pairs(suggest(resolution, [], STRENGTHS)) == [("a", "b", 0.5, ("number_taken_over",))]


@given(st.text(max_size=40), st.permutations(range(3)))
def test_words_do_not_depend_on_case_order_or_signs(text: str, order: list[int]) -> None:
    parts = ("Priya", "K", text.replace("\u0130", ""))
    shuffled = " ".join(parts[number] for number in order)
    assert words_of(f"{shuffled}!! ") == words_of(" ".join(parts))
    assert words_of(" ".join(words_of(text))) == words_of(text)


def test_strengths_are_those_of_the_evidences_time_and_a_gap_or_an_overlap_is_an_error() -> None:
    def row(strength: str, source: str, start: int, end: int | None) -> Strength:
        days = [None if day is None else AT + timedelta(days=day) for day in (start, end)]
        return Strength(kind="linked", source=source, strength=strength, score=1, most_leads=None, valid_from=days[0], valid_to=days[1])  # type: ignore[arg-type]

    rows = [row("strong", "", 0, 2), row("weak", "", 2, None), row("weak", "calendly", 1, None)]
    dated = Strengths(rows)
    end = AT + timedelta(days=2)
    found = [
        dated.of("linked", source, moment).strength
        for source in ("whatsapp", "calendly")
        for moment in (AT, end - timedelta(microseconds=1), end)
    ]
    assert found == ["strong", "strong", "weak", "strong", "weak", "weak"]
    with pytest.raises(StrengthError, match="no strength of 'linked' evidence from 'whatsapp' is valid at 2026-02-28"):
        dated.of("linked", "whatsapp", AT - timedelta(days=1))
    with pytest.raises(StrengthError, match="more than one strength"):
        Strengths([*rows, row("weak", "", 1, None)]).of("linked", "", AT + timedelta(days=1))
