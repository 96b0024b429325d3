"""The kernel's own livepatch tests, from the very source that a kernel was built from."""
