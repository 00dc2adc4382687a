"""Real dialogues as traffic: 1,017 conversations of persuasion_for_good, their donations as payments; of every tenth in the suite."""

from pathlib import Path

import polars as pl
import pytest

from tests.e2e.conftest import WARNED, flexoraa
from tests.outside import data


@pytest.mark.parametrize(
    ("every", "conversations", "messages", "donations"),
    [(10, 102, 2_088, 93), pytest.param(1, 1_017, 20_932, 969, marks=pytest.mark.large)],
)
def test_every_dialogue_message_and_donation_arrives_once(
    tmp_path: Path, every: int, conversations: int, messages: int, donations: int
) -> None:
    folder, home = _part(data("persuasion_for_good"), tmp_path / "part", every), tmp_path / "home"
    assert flexoraa("replay", "persuasion_for_good", folder, "--home", home).code == 0
    ran = flexoraa("run", "--home", home, "--quiet")
    assert ran.code == 3, ran.out + ran.err
    summary = ran.json()
    assert summary["checks_failed"] == [WARNED]
    assert (summary["marts"]["fct_conversations"], summary["marts"]["fct_messages"]) == (conversations, messages)
    for counts in summary["conservation"].values():
        assert counts["received"] == counts["accepted"] + counts["duplicate"] + counts["rejected"]
        assert counts["rejected"] == 0
    query = (
        "select count(*) as entries, count(distinct payment_id) as payments from marts.fct_token_ledger "
        "where kind = 'credit' and account = 'wallet'"
    )
    answer = flexoraa("sql", query, "--format", "json", "--home", home).json()
    assert answer == [{"entries": donations, "payments": donations}]


def _part(source: Path, folder: Path, every: int) -> Path:
    """Every so manieth dialogue of the release, with whoever took part."""
    folder.mkdir()
    frames = {name: pl.read_csv(source / name, infer_schema=False) for name in ("full_dialog.csv", "full_info.csv")}
    wanted = frames["full_dialog.csv"]["B2"].unique().sort().gather_every(every)
    for name, frame in frames.items():
        frame.filter(pl.col("B2").is_in(wanted.implode())).write_csv(folder / name)
    return folder
