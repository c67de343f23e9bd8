"""The workflow before any job: stages, plan, checks and warnings. The Snakefile imports it, so it loads no torch."""
