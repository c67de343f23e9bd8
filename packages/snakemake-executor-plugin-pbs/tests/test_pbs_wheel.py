"""The wheel in an empty environment with Snakemake alone, for a workflow without any word of PBS. It needs an index."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the wheel is built with hatchling")

FOREIGN = """
rule all:
    input: "sorted.txt"
rule write:
    output: "words.txt"
    shell: "printf 'b\\na\\n' > {output}"
rule count:
    input: "words.txt"
    output: "number.txt"
    shell: "wc -l < {input} > {output}"
rule sort:
    input: "words.txt", "number.txt"
    output: "sorted.txt"
    shell: "sort {input[0]} > {output}; cat {input[1]} >> {output}"
"""


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_wheel_with_snakemake_alone(site, tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=Path(__file__).parents[1], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    programs = tmp_path / "environment/bin"
    subprocess.run([sys.executable, "-m", "venv", str(programs.parent)], check=True)
    snakemake = f"snakemake=={importlib.metadata.version('snakemake')}"
    environment = {name: value for name, value in site.environment.items() if name != "PYTHONPATH"}
    install = [programs / "python", "-m", "pip", "install", "--quiet", str(wheel), snakemake]
    subprocess.run(install, env=environment, check=True)
    site.snakemake, site.environment = programs / "snakemake", environment
    site.workflow(FOREIGN)
    status, printed = site.run()
    assert status == 0, printed
    assert (site.folder / "sorted.txt").read_text().split() == ["a", "b", "2"]
    assert len(site.calls("qsub")) == 3 and set(site.states().values()) == {"F/92/0"}
    where = [programs / "python", "-c", "import snakemake_executor_plugin_pbs as plugin; print(plugin.__file__)"]
    found = subprocess.run(where, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(programs.parent)
