"""The study over hyperparameters."""
