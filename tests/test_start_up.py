"""What is loaded before any job starts, and which imports import-linter cannot see: scripts and the executor.

The contracts of import-linter are in pyproject.toml. They compare import statements. The tests of start-up look at a
fresh process instead, because a statement at the top of another module loads its libraries too.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "workflow" / "nasmake"
EXECUTOR = ROOT / "packages/snakemake-executor-plugin-pbs/src/snakemake_executor_plugin_pbs"
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
HEAVY = {
    *("torch", "torchvision", "torchmetrics", "lightning", "optuna", "numpy", "scipy", "sklearn", "matplotlib"),
    *("safetensors", "PIL", "pandas", "sqlalchemy", "snakemake"),
}


def imported(path):
    """Return the first names of all imports in the file, also of those in functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("relative import" if node.level else node.module.partition(".")[0])
    return names


def loaded_by(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_what_the_snakefile_imports_is_light():
    files = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    modules = {name for file in files for name in re.findall(r"from (nasmake[\w.]*) import", file.read_text())}
    assert {"nasmake.core.files", "nasmake.pipeline.checks", "nasmake.pipeline.plan"} <= modules
    loaded = loaded_by(f"import sys, {', '.join(sorted(modules))}; print(*sys.modules, sep='\\n')")
    assert {"nasmake.config.config", "pydantic"} <= loaded
    assert sorted(loaded & HEAVY) == []


def test_engine_loads_lightning_without_the_packages_of_torchmetrics():
    loaded = loaded_by("import sys, nasmake.engine.lightning; print(*sys.modules)")
    assert {"lightning.pytorch.trainer.trainer", "nasmake.engine.lightning"} <= loaded
    assert loaded & {"torchmetrics", "torchvision", "scipy", "matplotlib"} == set()


def test_scripts_load_nothing_heavy_before_their_arguments_are_read():
    """A script imports heavy libraries within main. The first script that loads one is named."""
    code = f"""
import runpy, sys
for path in sys.argv[1:]:
    before = set(sys.modules)
    runpy.run_path(path)
    print(*(f"{{path}}:{{name}}" for name in {HEAVY!r} & (sys.modules.keys() - before)), sep="\\n")
"""
    assert loaded_by(code, *SCRIPTS) == set()


def test_suggesting_needs_no_torch():
    loaded = loaded_by("import sys, nasmake.study.suggest; print(*sys.modules, sep='\\n')")
    assert "optuna" in loaded and loaded & {"torch", "lightning"} == set()


def test_scripts_import_the_package_and_never_each_other():
    allowed = {*sys.stdlib_module_names, "nasmake", "pydantic", "snakemake", "yaml"}
    assert {path.name: names for path in SCRIPTS if (names := imported(path) - allowed)} == {}
    assert len(SCRIPTS) > 8 and not allowed & {path.stem for path in SCRIPTS}


def test_package_knows_nothing_of_command_lines_and_scripts():
    offenders = []
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        offenders += [f"{path}: {name}" for name in imported(path) & {"scripts", "relative import"}]
        if path not in (PACKAGE / "jobs" / "cli.py", PACKAGE / "benchmarks" / "processes.py"):  # they run scripts
            offenders += [f"{path}: sys.argv"] if "sys.argv" in source or "from sys import argv" in source else []
    assert offenders == []


def test_executor_serves_any_workflow_and_loads_fast():
    """Snakemake imports every executor whenever it starts."""
    allowed = {*sys.stdlib_module_names, "snakemake_interface_common", "snakemake_interface_executor_plugins"}
    allowed.add(EXECUTOR.name)
    assert {path.name: names for path in EXECUTOR.glob("*.py") if (names := imported(path) - allowed)} == {}


def test_workflow_is_no_package():
    """workflow/__init__.py would shadow Snakemake's object `workflow`."""
    assert not (ROOT / "workflow" / "__init__.py").exists()
