"""The stages: one module per rule that computes, with the rule's name, and the modules that several rules share.

A stage takes a `Job`, trains or evaluates through `nasmake.engine`, and writes the artefacts of its rule. The table of
stages is in `nasmake.pipeline.stages`. This package may import every lower package, but not evidence and not report.
`evaluator`, `gates` and `search_output` hold parts of the searches, `baseline` a part of the final test.
"""
