"""What was seen in a trial, in order, each thing stamped by the clocks that saw it."""
