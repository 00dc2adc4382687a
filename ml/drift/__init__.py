"""Drift of a model in service against the baseline that was frozen with its version.

`freeze` makes the baseline, `Tally` counts rows against it in one pass, `decide` turns counts and outcomes into one verdict. Nothing here
reads data, draws or knows a clock.
"""
