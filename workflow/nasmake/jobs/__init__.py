"""A job of the workflow: its command line, settings, processes and GPUs. Nothing here loads torch at import."""
