"""nasmake: one-shot neural architecture search under hyperparameter optimisation, as one Snakemake DAG."""
