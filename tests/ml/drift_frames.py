"""Real data with a known drift, as columns: read from ../shared/data, skipped where that is absent."""

import polars as pl

from ml.columns import Coded, Column
from tests.outside import data

LOAN = [
    "car_value",
    "salary_range",
    "debt_to_income_ratio",
    "loan_length",
    "repaid_loan_on_prev_car",
    "size_of_downpayment",
    "driver_tenure",
]
LOAN_AUCS = [0.970962, 0.970248, 0.976282, 0.967721, 0.969886, 0.960050, 0.958530, 0.959041, 0.963094, 0.957556]
"""As published for the analysis rows, 5,000 at a time (INDEX.md)."""

ROWS_2008 = 27_690
"""Of bank_marketing: then the month falls back."""


def columns(frame: pl.DataFrame, names: list[str]) -> dict[str, Column]:
    """Numbers and booleans as floats, text as codes."""
    found: dict[str, Column] = {}
    for name in names:
        series = frame[name]
        found[name] = Coded.of(series.to_list()) if series.dtype == pl.String else series.cast(pl.Float64).to_numpy()
    return found


def loan(part: str, damage: str = "") -> pl.DataFrame:
    """`reference`, or `analysis` with its outcomes; `damage` is `dq_` for the set with missing and unseen values."""
    folder = data("nannyml")
    frame = pl.read_parquet(folder / f"synthetic_car_loan_{damage}{part}.parquet")
    return frame if part == "reference" else frame.join(pl.read_parquet(folder / "synthetic_car_loan_analysis_target.parquet"), on="id")


def bank() -> pl.DataFrame:
    """All contacts in their order, without `duration`, which is known only afterwards."""
    frame = pl.read_csv(data("bank_marketing", "bank-additional-full.csv"), separator=";", infer_schema_length=None)
    return frame.drop("duration").with_columns(y=pl.col("y") == "yes")
