"""What every room may lean on: errors, deadlines, the cache, progress, bundled data."""
