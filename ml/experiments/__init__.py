"""Inference on experiments, from moments: compare arms, look as often as one likes, decide on harm.

`compare` for two arms, `analyse` for a whole table of experiments, `decide` for the kill switch. Nothing here reads data or a clock.
"""
