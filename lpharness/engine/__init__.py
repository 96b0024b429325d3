"""Builds livepatch modules, and in a guest loads, watches, reverses and unloads them."""
