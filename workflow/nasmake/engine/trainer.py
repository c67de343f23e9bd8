"""One training run: Lightning's trainer, resumed from the newest intact checkpoint.

This module may import config and the other modules of the engine except `stage_run`.
"""

import sys
from collections.abc import Collection, Iterable
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
    display: Collection[str],
    logger: Any = None,
    name: str = "training",
    val_source: Iterable[int] | None = None,
    gradient_clip: float | None = None,
) -> list[dict[str, Any]]:
    """Train `module` from where an earlier process stopped, and return one row per epoch; see `final_weights`.

    Args:
        module: reads its batches itself.
        source: the steps of an epoch.
        epochs: length of the training, counted from its first start.
        runtime: the device.
        folder: holds the checkpoints.
        settings: section `trainer`.
        display: shown beside the line per epoch: "bar" for the progress bar, "summary" for the table of layers.
        logger: a Lightning logger that receives the rows too.
        name: of the training state; a stage with several runs gives each its own name.
        val_source: the steps of the validation after each epoch, if the stage has one.
        gradient_clip: largest norm of the gradient.

    Raises:
        StoppedError: a loss became NaN or infinite, or the module had a reason to stop.
    """
    silence_lightning()
    state, newest = TrainingState(folder.state(name)), TwoGenerations.newest(folder.state(name))
    trainer = Trainer(
        accelerator=runtime.accelerator,
        devices=[runtime.device.index or 0] if runtime.accelerator == "gpu" else 1,  # each rank has one device
        precision=settings.precision,
        max_epochs=epochs,
        callbacks=[state],
        plugins=[TwoGenerations()],
        gradient_clip_val=gradient_clip,
        logger=logger or False,
        deterministic="warn" if runtime.accelerator == "gpu" else None,  # the CPU's algorithms are deterministic
        enable_progress_bar="bar" in display and sys.stderr.isatty(),
        enable_model_summary="summary" in display,
        num_sanity_val_steps=0,  # their scores would be added to those of the first epoch
    )
    trainer.fit(module, source, val_source, ckpt_path=newest, weights_only=True if newest else None)
    wait_for_all()  # rank 0 has then written the last checkpoint
    return state.rows
