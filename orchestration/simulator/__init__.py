"""Traffic of made-up tenants in the vendors' real shapes, with planted truth to compare the platform against.

Here belongs everything that makes such traffic; it runs without a clock and repeats by its seed. Not here: the platform's
rules. A story says what is true because its script makes it so, never by computing the rule that it tests.
"""

from orchestration.simulator.run import SimulationError, simulate
from orchestration.simulator.truth import Manifest

__all__ = ["Manifest", "SimulationError", "simulate"]
