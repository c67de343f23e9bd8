"""Training with exact resume, for any stage.

This package holds the device, the splits of the data, the training loop with its checkpoints, and the frame in which a
stage runs. The stages themselves are in `nasmake.stages`: nothing here depends on which stage runs. It may import core,
config, search_spaces, data, costs, pipeline and jobs. Only `engine.lightning` imports Lightning.
"""
