"""May it ship? A release held against the one before it, by a policy."""
