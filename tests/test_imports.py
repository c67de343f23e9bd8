"""The import rule of CONTRIBUTING.md, read from the source; and what the Snakefile loads, seen in a fresh process."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "workflow" / "nasmake"
EXECUTOR = ROOT / "workflow" / "snakemake_executor_plugin_pbs"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
HEAVY = {
    *("torch", "torchvision", "torchmetrics", "lightning", "optuna", "numpy", "scipy", "sklearn", "matplotlib"),
    *("safetensors", "PIL", "pandas", "sqlalchemy", "snakemake"),
}
# Who may import what; a folder stands for all that is in it.
ONLY = {
    "lightning": ("training", "runtime.py"),
    "optuna": ("study.py", "plots.py", "strategies/nsga2.py"),
    "matplotlib": ("plots.py", "search_plots.py", "plot_style.py", "drawing.py", "evidence/drawing.py"),
    "snakemake": (),
}
every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
every_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


def imported(path):
    """Dotted names of all that is imported anywhere in the file, except for type checkers; `from a import b` as a.b."""
    names = set()
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def walk(node):
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from walk(child)


def tops(path):
    return {name.partition(".")[0] for name in imported(path)}


def test_there_is_something_to_look_at():
    assert len(MODULES) > 30 and len(SCRIPTS) > 8
    assert "nasmake.artifacts.InputError" in imported(PACKAGE / "config.py")
    assert "optuna.storages.JournalStorage" in imported(PACKAGE / "study.py")  # within a function


@every_script
def test_scripts_import_the_package_and_never_each_other(path):
    allowed = {*sys.stdlib_module_names, "nasmake", "yaml", "snakemake"}
    assert tops(path) <= allowed
    assert not tops(path) & {script.stem for script in SCRIPTS}


@every_script
def test_scripts_can_be_imported_without_running_and_load_nothing_heavy(path):
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert not HEAVY & set(done.stdout.split()), "import it within main, after the arguments are read"


@every_module
def test_package_knows_nothing_of_command_lines_and_snakemake(path):
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv")
    assert not any(name == "sys.argv" for name in imported(path))
    assert "scripts" not in tops(path)


@pytest.mark.parametrize("path", sorted(EXECUTOR.glob("*.py")), ids=lambda path: path.stem)
def test_executor_serves_any_workflow_and_loads_fast(path):
    """Snakemake imports every executor whenever it starts."""
    interfaces = {"snakemake_interface_common", "snakemake_interface_executor_plugins"}
    assert tops(path) <= {*sys.stdlib_module_names, *interfaces, "snakemake_executor_plugin_pbs"}


@pytest.mark.parametrize("library", ONLY)
def test_library_is_imported_only_where_it_belongs(library):
    importers = {str(path.relative_to(PACKAGE)) for path in MODULES if library in tops(path)}
    assert {name for name in importers if not name.startswith(ONLY[library])} == set()


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "search_spaces").glob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_search_spaces_need_the_standard_library_only(path):
    assert tops(path) <= {*sys.stdlib_module_names, "nasmake"}
    assert all(
        name.startswith(("nasmake.search_spaces", "nasmake.artifacts", "nasmake.config"))
        for name in imported(path)
        if name.startswith("nasmake")
    )


def test_workflow_is_no_package():
    """workflow/__init__.py would shadow Snakemake's `workflow` object."""
    assert not (ROOT / "workflow" / "__init__.py").exists()


def imported_by_the_workflow():
    files = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    return sorted({name for file in files for name in re.findall(r"from (nasmake[\w.]*) import", file.read_text())})


def loaded_by(*modules):
    code = f"import sys, {', '.join(modules)}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_what_the_snakefile_imports_is_known():
    assert {"nasmake.artifacts", "nasmake.config", "nasmake.preflight", "nasmake.stages"} <= set(
        imported_by_the_workflow()
    )


def test_what_the_snakefile_imports_is_light():
    loaded = loaded_by(*imported_by_the_workflow())
    assert "nasmake.config" in loaded and "pydantic" in loaded
    assert loaded & HEAVY == set()


def test_what_stage_scripts_load_before_their_arguments_are_read_is_light():
    assert loaded_by("nasmake.job", "nasmake.summary") & HEAVY == set()


def test_suggesting_needs_no_torch():
    assert loaded_by("nasmake.study") & {"torch", "lightning"} == set()
