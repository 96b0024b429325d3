"""Many trials: laid out as cells, prepared once each, carried out by an executor."""

from lpharness.run.carry import carry_out
from lpharness.run.execute import execute
from lpharness.run.meant import not_meant_for
from lpharness.run.prepare import Refused, plan_run
from lpharness.run.request import Request
from lpharness.run.verdicts import exit_status

__all__ = [
    "Refused",
    "Request",
    "carry_out",
    "execute",
    "exit_status",
    "not_meant_for",
    "plan_run",
]
