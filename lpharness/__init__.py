"""lpharness proves Linux kernel live patches in real guests before they ship.

``docs/architecture.md`` shows the rooms and the way data goes through them.
"""

__version__ = "0.1.0"
