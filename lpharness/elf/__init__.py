"""Reading and writing livepatch ELF; knows nothing of guests or kernels on disk."""
