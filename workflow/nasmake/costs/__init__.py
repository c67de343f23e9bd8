"""Costs of networks: parameters, multiply-adds (MACs) and latency, by formula or from a table of measured latencies.

Measuring latency lives in stages/measure_latency.py, the torch modules in models. This room imports core and
search_spaces only; expected.py alone imports numpy, and nothing imports torch.
"""
