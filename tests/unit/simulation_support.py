"""Scenarios for the tests of the simulation, and what each model promises."""

from lpharness.simulation import codes
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.scenario import Scenario, decode

OLD_THEN_NEW = {
    codes.MEETINGS[number]
    for number in (codes.CROSSED_SYSCALL, codes.CROSSED_KTHREAD, codes.CROSSED_THREADS)
}
"""What any switch at all has somewhere, unless it goes by syscalls."""

EVERYWHERE = set(codes.MEETINGS) - OLD_THEN_NEW
NEVER: dict[str, set[str]] = {
    "immediate": set(),
    "ksplice": EVERYWHERE,
    "kpatch": EVERYWHERE,
    "kgraft": {
        codes.MEETINGS[number]
        for number in (
            codes.STACK,
            codes.IN_SYSCALL,
            codes.CROSSED_SYSCALL,
            codes.IN_KTHREAD,
            codes.CROSSED_KTHREAD,
            codes.BETWEEN,
        )
    },
    "hybrid": {
        codes.MEETINGS[number]
        for number in (
            codes.STACK,
            codes.IN_SYSCALL,
            codes.IN_KTHREAD,
            codes.IN_INTERRUPT,
            codes.BETWEEN,
        )
    },
}
"""Where old and new code never meet, by each model's promise."""


def broken_promises(outcome: Outcome) -> list[str]:
    """Return what a model did against its promise."""
    broken = sorted(each for each in NEVER[outcome.model] if outcome.meetings[each])
    if outcome.not_moved and not outcome.blockers:
        broken.append("nobody is said to be in the way")
    if outcome.outcome in ("completed", "reversed") and outcome.not_moved:
        broken.append("over, but not everybody has moved")
    return broken


_HEAD = """
name = "small"
settle = "50ms"
limit = "9s"

[machine]
cpus = 2

[machine.kernel]
tick = "20ms"
slice = "20ms"

[machine.costs]
redirect = "300ms"

[machine.interrupts]
every = "uniform 30ms 80ms"
program = '''
call irq
  run 1ms
  call first
    run 4ms
  end
  call second
    run 1ms
  end
end
'''

[patch]
functions = ["first", "second"]
"""

BUSY = """
[[tasks]]
name = "callers"
count = 5
program = '''
user uniform 1ms 20ms
syscall
  call entry
    call first
      run uniform 1ms 30ms
      sleep uniform 10ms 300ms
      call second
        run uniform 1ms 20ms
        put token
      end
    end
    sleep uniform 10ms 200ms
    call second
      run 3ms
      take token
    end
  end
end
'''

[[tasks]]
name = "worker"
kind = "kthread"
count = 2
program = '''
safe
call thread
  call first
    run uniform 5ms 15ms
  end
  resched
  sleep uniform 20ms 100ms
  call second
    run 5ms
  end
end
'''
"""

STUCK = """
[[tasks]]
name = "stuck"
count = 1
program = '''
user 1ms
syscall
  call first
    run 1ms
    block 5000s
  end
end
'''
"""


def small(tasks: str = BUSY) -> Scenario:
    """Return a scenario of a few hundred events a second."""
    return decode(_HEAD + tasks, "small")
