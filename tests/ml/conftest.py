"""Inference under hypothesis: no deadline on a machine that others use."""

from hypothesis import settings

settings.register_profile("inference", deadline=None)
settings.load_profile("inference")
