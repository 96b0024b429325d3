"""What all tests need of the process that they run in."""

import signal


def pytest_configure() -> None:
    """Give Ctrl-C its meaning back: a shell's background jobs, CI's too, inherit it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
