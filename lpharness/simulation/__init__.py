"""The five consistency models without a guest: a discrete-event simulation (docs/simulation.md)."""
