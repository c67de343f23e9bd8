"""docs/further.md names the exit statuses of qsub and the settings as the code has them."""

import re
from pathlib import Path

import pytest
from snakemake_executor_plugin_pbs.refusals import ERRORS, Refusal
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

FOLDER = Path(__file__).parents[1]
FURTHER = (FOLDER / "docs/further.md").read_text()


@pytest.mark.parametrize(("verdict", "first"), [(Refusal.WAIT, 13), (Refusal.FAULT, 56)])
def test_exit_statuses(verdict, first):
    (cell,) = re.findall(rf"^\| ({first}, [^|]*) \|", FURTHER, re.MULTILINE)
    named = [int(number) for number in re.findall(r"\d+", cell)]
    assert named == sorted(number % 256 for number, (_, found) in ERRORS.items() if found is verdict)


def test_settings_of_the_catalog():
    settings = {
        setting["cliarg"]: setting for setting in ExecutorPluginRegistry().get_plugin("pbs").get_settings_info()
    }
    variables = {option: setting["env_var"] for option, setting in settings.items()}
    assert variables == {
        "--pbs-project": "SNAKEMAKE_PBS_PROJECT",
        "--pbs-shapes": None,
        "--pbs-reservation": "SNAKEMAKE_PBS_RESERVATION",
        "--pbs-prologue": None,
        "--pbs-extra": "SNAKEMAKE_PBS_EXTRA",
        "--pbs-logdir": "SNAKEMAKE_PBS_LOGDIR",
    }
    assert not any(setting["required"] for setting in settings.values())
    assert set(re.findall(r"--pbs-\w+", FURTHER)) <= settings.keys()
