# What has to hold before the configuration is read: the folder, the interpreter, and the handler of signals.

import sys
from pathlib import Path

root = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]

if not Path("workflow/rules/start.smk").is_file() or not Path("config/config.yaml").is_file():
    sys.exit(f"error: nasmake is started in its own folder; type: cd {root}")

try:
    import nasmake
    from nasmake.pipeline.controller import control, prepare_environment, prepare_python_for_large_plans
except ModuleNotFoundError:
    sys.exit("error: the package nasmake is not installed beside this snakemake; type: make setup")

package, expected = Path(nasmake.__file__).resolve().parent, (root / "workflow/nasmake").resolve()
if workflow.is_main_process and package != expected:
    sys.exit(f"error: the package nasmake is {package}; expected {expected}; type: make setup")

from nasmake.core.errors import InputError
from nasmake.pipeline.config_files import places_of

try:
    files = [Path("config/config.yaml"), *workflow.overwrite_configfiles]
    PLACES = places_of(files) if workflow.is_main_process else {}
except InputError as error:
    sys.exit(f"error: {error}")

prepare_environment()
prepare_python_for_large_plans()

if workflow.is_main_process:
    STOP = control(workflow, Path(".snakemake"))
