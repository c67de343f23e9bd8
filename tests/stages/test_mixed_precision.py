import math

import pytest
import torch
from nasmake.engine.weights import read_weights
from nasmake.stages.retrain import retrain
from nasmake.stages.search_architecture import search_architecture
from nasmake.stages.train_supernet import train_supernet
from small_jobs import artefacts, make_job

CHAIN = {"train_supernet": train_supernet, "search_architecture": search_architecture, "retrain": retrain}


@pytest.mark.slow  # bfloat16 is emulated on many CPUs
def test_mixed_precision_reaches_every_stage_and_leaves_float32_weights(tmp_path, digits):
    by_precision = {}
    for precision in ("32-true", "bf16-mixed"):
        unit = tmp_path / precision
        for stage, run in CHAIN.items():
            run(make_job(stage, unit, digits, trainer__precision=precision))
        by_precision[precision] = artefacts(unit)
    full, mixed = by_precision["32-true"], by_precision["bf16-mixed"]
    for name in ("history/train_supernet.csv", "history/evaluations.csv", "history/retrain.csv"):
        assert mixed[name] != full[name]
    assert math.isfinite(mixed["result.json"]["val_loss"])
    weights = read_weights(tmp_path / "bf16-mixed" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} <= {torch.float32, torch.int64}
