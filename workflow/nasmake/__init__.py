"""nasmake: one-shot neural architecture search under hyperparameter optimisation, as one Snakemake DAG."""

from importlib.metadata import version

__version__ = version("nasmake")
