"""One module per rule that computes."""
