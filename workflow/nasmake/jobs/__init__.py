"""A job: its command line, its processes and its GPUs. No torch at import."""
