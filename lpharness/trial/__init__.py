"""One case on one kernel with one workload, once."""
