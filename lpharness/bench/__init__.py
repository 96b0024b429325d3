"""Measuring lpharness itself: what it costs on this machine, with bounds the project set itself."""
