"""A patched function that is watched as well: who goes with whom, in every order."""

from lpharness.bench.coexistence.model import ORDERS, Met, Order, Outcome, tracers
from lpharness.bench.coexistence.run import measure

__all__ = ["ORDERS", "Met", "Order", "Outcome", "measure", "tracers"]
