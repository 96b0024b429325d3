"""Random sequences on a real kernel and on the reference; see ``docs/reference.md``."""
