# What has to hold before the configuration is read: the folder, the interpreter, and no lock of a dead controller.

import sys
from pathlib import Path

if not Path("workflow/rules/start.smk").is_file() or not Path("config/config.yaml").is_file():
    root = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
    sys.exit(f"error: nasmake is started in its own folder; type: cd {root}")

try:
    from nasmake.pipeline.controller import clear_stale_lock, prepare_environment
except ModuleNotFoundError:
    sys.exit("error: the package nasmake is not installed beside this snakemake; type: make setup")

prepare_environment()

if workflow.is_main_process:
    clear_stale_lock(Path(".snakemake"))
