"""One training run of a stage: Lightning's trainer, resumed from the newest intact state."""

import sys
from collections.abc import Iterable
from typing import Any

from nasmake.config.trainer import Trainer as TrainerSettings
from nasmake.engine.checkpoint import TwoGenerations
from nasmake.engine.device import Runtime
from nasmake.engine.distributed import wait_for_all
from nasmake.engine.epoch_log import TrainingState
from nasmake.engine.lightning import Trainer, silence_lightning
from nasmake.engine.resume import ResumeFolder
from nasmake.engine.stage_module import StageModule


def fit(
    module: StageModule,
    source: Iterable[int],
    epochs: int,
    *,
    runtime: Runtime,
    folder: ResumeFolder,
    settings: TrainerSettings,
    display: str,
    logger: Any = None,
    name: str = "training",
    val_source: Iterable[int] | None = None,
    gradient_clip: float | None = None,
) -> list[dict[str, Any]]:
    """Train `module` for `epochs`, from where an earlier process stopped.

    The module reads its batches itself; `source` only counts the steps of an epoch, and `val_source` those of the
    validation after it, if the stage has one. A stage with several runs gives each a `name` for its training state.
    Rows go to `logger` too, if there is one.

    Returns:
        One row per epoch. Weights are to be read with `final_weights(folder.checkpoint)`.

    Raises:
        DivergedError: a loss became NaN or infinite.
        PrunedError: the module had a reason to stop.
    """
    silence_lightning()
    state = TrainingState(folder.state(name))
    newest = TwoGenerations.newest(folder.state(name))
    trainer = Trainer(
        accelerator=runtime.accelerator,
        devices=[runtime.device.index or 0] if runtime.accelerator == "gpu" else 1,  # of this rank
        precision=settings.precision,
        max_epochs=epochs,
        callbacks=[state],
        plugins=[TwoGenerations()],
        gradient_clip_val=gradient_clip,
        logger=logger or False,
        deterministic="warn" if runtime.accelerator == "gpu" else None,  # the CPU's algorithms are deterministic
        enable_progress_bar="bar" in display and sys.stderr.isatty(),
        enable_model_summary="summary" in display,
        num_sanity_val_steps=0,  # would draw into the sums
    )
    trainer.fit(module, source, val_source, ckpt_path=newest, weights_only=True if newest else None)
    wait_for_all()  # rank 0 has written the last state
    return state.rows
