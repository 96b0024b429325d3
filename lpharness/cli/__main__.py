"""``python -m lpharness.cli``."""

from lpharness.cli.main import main

main()
