"""A kernel's source: the tree it was built from, diffs against it, what includes what."""
