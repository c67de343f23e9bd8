"""The study over hyperparameters: its parameter space, its samplers, and the suggestion of one trial."""
