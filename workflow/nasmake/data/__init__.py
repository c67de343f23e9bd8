"""Data sets: `preparing` writes them once, `prepared` describes the files, and `loading` makes batches from them."""
