"""What the tests without guests need, before any of them imports anything."""

import os

# Compiling the simulation takes longer than all of its tests, and only what is interpreted can be
# broken on purpose. It is decided once in a process, by whoever imports it first.
os.environ["LPHARNESS_SIMULATION_INTERPRETED"] = "1"
