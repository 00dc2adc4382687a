"""Erasing people: the steps over every store, each of which may be made again at any time.

Here belongs how a person is taken out. Not here: whether that may be done (`core.privacy`), and whether it was (`orchestration.verifier`,
which shares no code with this).
"""
