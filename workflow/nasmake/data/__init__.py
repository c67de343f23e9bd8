"""Data sets: prepared once as arrays or paths, and loaded as batches."""
