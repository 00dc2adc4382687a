"""Real dialogues as traffic: 1,017 conversations of persuasion_for_good, their donations as payments."""

from pathlib import Path

from tests.e2e.conftest import WARNED, flexoraa
from tests.outside import data


def test_every_dialogue_message_and_donation_arrives_once(tmp_path: Path) -> None:
    folder, home = data("persuasion_for_good"), tmp_path / "home"
    assert flexoraa("replay", "persuasion_for_good", folder, "--home", home).code == 0
    ran = flexoraa("run", "--home", home, "--quiet")
    assert ran.code == 3, ran.out + ran.err
    summary = ran.json()
    assert summary["checks_failed"] == [WARNED]
    assert (summary["marts"]["fct_conversations"], summary["marts"]["fct_messages"]) == (1_017, 20_932)
    for counts in summary["conservation"].values():
        assert counts["received"] == counts["accepted"] + counts["duplicate"] + counts["rejected"]
        assert counts["rejected"] == 0
    query = (
        "select count(*) as entries, count(distinct payment_id) as payments from marts.fct_token_ledger "
        "where kind = 'credit' and account = 'wallet'"
    )
    answer = flexoraa("sql", query, "--format", "json", "--home", home).json()
    assert answer == [{"entries": 969, "payments": 969}]
