"""The files of aiaccel's examples/nas, as they are: tests/predecessor has their values."""

import os
import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from nasmake.config import load
from nasmake.config.aiaccel import ALIASES, DROPPED, WITHOUT_EFFECT, without_effect
from nasmake.config.search import Search
from nasmake.core.nested import assign, value_at
from nasmake.core.process import CANDIDATES, LOADER_WORKERS
from nasmake.costs.table import CostTable
from nasmake.pipeline.conditions import with_conditions
from nasmake.pipeline.controller import export_environment, prologue
from nasmake.pipeline.inputs import find_search_space, read_search_space
from nasmake.pipeline.plan import Plan
from nasmake.pipeline.stages import STAGES, chain_of, settings_of_job
from nasmake.pipeline.warnings import collect_warnings
from nasmake.strategies import make_strategy
from nasmake.strategies.loop import ProposalLoop
from small_spaces import shipped
from small_studies import error_of, in_an_empty_folder, start  # noqa: F401

FILES = Path(__file__).parents[1] / "predecessor"
ROOT = Path(__file__).parents[2]
STUDY = ("config.yaml", "nas_config.yaml")
SPACE = shipped("proxyless_digits")


def merged(first, second):
    """As Snakemake lays one configuration file over another."""
    both = {
        key: merged(first[key], second[key])
        for key in first.keys() & second.keys()
        if isinstance(first[key], dict) and isinstance(second[key], dict)
    }
    return first | second | both


def given(*names, **overlay):
    found = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for name in names:
        found = merged(found, yaml.safe_load((FILES / name).read_text()))
    return merged(found, overlay)


@pytest.fixture
def beside_the_files(in_an_empty_folder, tmp_path):  # noqa: F811
    for path in FILES.iterdir():
        (tmp_path / path.name).symlink_to(path)


@pytest.mark.usefixtures("beside_the_files")
@pytest.mark.parametrize(
    "names",
    [
        STUDY,
        ("config.yaml", "nas_config_macos.yaml"),
        (*STUDY, "trainer_config.yaml"),
        (*STUDY, "trainer_config.yaml", "hyperparameter.yaml"),
    ],
)
def test_files_start_a_study_as_they_are(names):
    config = load(given(*names))
    start(config)
    assert str(find_search_space(config)) == "config/search_spaces/config_proxyless_cifar10.yaml"
    assert (config.optimize.trial_number, config.optimize.lag, config.nas.num_epochs_retrain) == (15, 1, 2)
    assert (config.search.algorithm, config.environment.result_dir) == ("asng", "architecture_search_results")


@pytest.mark.usefixtures("beside_the_files")
def test_what_has_no_effect_or_is_overruled_is_said_once():
    raw = given(*STUDY, "trainer_config.yaml", "hyperparameter.yaml")
    said = collect_warnings(load(raw), raw)
    for key in (
        *("trainer._target_, trainer.nas_config, trainer.parameter_config, total_iters", "resource.type", "generic"),
        *("nas.skip_train", "nas.skip_architecture_search"),
        "ABCI.job_script_preamble: job_script_preamble.sh: 4 directives of Grid Engine are dropped",
        "retrain.hyperparameters.num_epochs is 10: without effect, because nas.num_epochs_retrain is 2",
    ):
        assert sum(line.startswith(key) for line in said) == 1, key
    assert len(said) == len(set(said))


def test_hyperparameters_that_stand_alone_are_fixed():
    alone = yaml.safe_load((FILES / "hyperparameter.yaml").read_text())
    assert alone.keys() == ALIASES.keys() | {"total_iters"}
    config = load(given(*STUDY, "hyperparameter.yaml")).model_dump()
    for name, path in ALIASES.items():
        assert value_at(config, path) == alone[name], name


def test_retrain_config_and_nas_trainer_config_are_mapped_or_dropped_with_a_notice():
    raw = given(*STUDY, "retrain_config.yaml", "nas_trainer_config.yaml", nas={"num_epochs_retrain": None})
    config = load(raw)
    theirs = yaml.safe_load((FILES / "retrain_config.yaml").read_text())
    assert config.retrain.hyperparameters.model_dump(exclude={"nesterov"}) == theirs["hyperparameters"]
    assert config.nas.num_epochs_retrain == 10
    assert (config.dataset.retrain.train, config.dataset.retrain.test) == (
        theirs["dataset"]["train"],
        theirs["dataset"]["test"],
    )
    said = without_effect(raw)
    assert said[:2] == [f"{path}: without effect; {why}" for path, why in DROPPED.items()]
    assert said[2].startswith("names of retrain_config.yaml: dataset.train is dataset.retrain.train, dataset.test is ")
    assert len(said) == 3


def test_a_retraining_that_is_no_mapping_is_refused_by_its_name():
    with pytest.raises(Exception, match="hyperparameters: unknown key"):
        load(given(*STUDY, "retrain_config.yaml") | {"retrain": 3})


def test_misspelt_key_of_the_guide_is_put_right():
    raw = given(*STUDY, dataset={"num_data_archtecture_search": 10000})
    with pytest.raises(Exception, match="did you mean num_data_architecture_search"):
        load(raw)


@pytest.mark.usefixtures("in_an_empty_folder")
def test_preamble_that_is_not_there_is_said():
    said = collect_warnings(load(given(*STUDY)))
    assert "ABCI.job_script_preamble: job_script_preamble.sh: no such file; jobs on a cluster begin without it" in said


def test_prologue_runs_the_preamble_and_keeps_the_interpreter(tmp_path):
    preamble = tmp_path / "my preamble.sh"
    assert prologue(str(preamble), Path("/env/bin/python")) == prologue(None, Path("/x")) == "set -euo pipefail; "
    preamble.touch()
    found = prologue(str(preamble), Path("/env/bin/python"))
    assert found == f"source '{preamble}'; export PATH=/env/bin:$PATH; set -euo pipefail; "


def dotted(content, prefix=""):
    """Keys that hold values; what a searched parameter is made of is one value."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_key_of_their_files_has_its_row():
    chapter = (ROOT / "config/guides/from_aiaccel.md").read_text()
    first_cells = [line.split(" | ")[0] for line in chapter.splitlines() if line.startswith("| `")]
    rows = [key for cell in first_cells for key in re.findall("`([^`]+)`", cell)]
    theirs = {key for path in FILES.glob("*.yaml") for key in dotted(yaml.safe_load(path.read_text()))}
    of_the_guide = {"retrain.num_epochs", "retrain.weight_decay"}
    assert sorted(rows) == sorted(theirs | of_the_guide | set(WITHOUT_EFFECT))


@pytest.mark.parametrize(
    ("key", "value", "path", "expected"),
    [
        ("resource.num_node", 3, "optimize.lag", 3),
        ("optimize.search_algorithm", "aiaccel.optimizer.SobolOptimizer", "optimize.sampler", "SobolOptimizer"),
        ("retrain.num_epochs", 7, "nas.num_epochs_retrain", 2),
        ("batch_size_supernet_train", 32, "supernet.batch_size", 32),
        ("batch_size_architecture_search", 33, "search.batch_size", 33),
        ("initial_lr", 0.2, "supernet.lr", 0.2),
        ("lam", 4, "supernet.paths_per_step", 4),
        ("epsilon", 0.5, "search.epsilon", 0.5),
        ("scheduler", "Cosine", "supernet.scheduler", "Cosine"),
        ("environment.result_dir", "./mine/", "environment.result_dir", "mine"),
    ],
)
def test_key_decides_what_its_row_says(key, value, path, expected):
    overlay = value
    for name in reversed(key.split(".")):
        overlay = {name: overlay}
    found = load(given(*STUDY, **overlay))
    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected


# Another value for every key of their files but the hyperparameters that stand alone, which have a test above.
ANOTHER = {
    "generic.workspace": "./elsewhere",
    "generic.job_command": "python mine.py",
    "generic.python_file": "./mine.py",
    "generic.function": "run",
    "generic.batch_job_timeout": 5,
    "resource.type": "python_local",
    "resource.num_node": 3,
    "ABCI.group": "gaa00000",
    "ABCI.job_script_preamble": "other.sh",
    "ABCI.job_execution_options": "-m e",
    "optimize.search_algorithm": "aiaccel.optimizer.RandomOptimizer",
    "optimize.trial_number": 4,
    "optimize.rand_seed": 7,
    "optimize.parameters": [{"name": "lam", "type": "uniform_int", "lower": 1, "upper": 4}],
    "dataset.name": "cifar100",
    "dataset.num_data_architecture_search": 5000,
    "dataset.num_search_classes": 5,
    "dataset.path": "elsewhere",
    "dataset.retrain.train": "elsewhere",
    "dataset.retrain.test": "elsewhere",
    "environment.device_ids": [0, 1, 2],
    "environment.gpus": 2,
    "environment.num_workers": 3,
    "environment.result_dir": "elsewhere",
    "nas.num_epochs_architecture_search": 3,
    "nas.num_epochs_supernet_train": 3,
    "nas.num_epochs_retrain": 3,
    "nas.search_space": "mnasnet",
    "nas.search_space_config_path": "mine",
    "nas.seed": 7,
    "nas.skip_architecture_search": False,
    "nas.skip_train": False,
    "nas.skip_retrain": True,
    "nas.type": "simultaneous",
    "retrain.hyperparameters.base_lr": 0.2,
    "retrain.hyperparameters.batch_size": 32,
    "retrain.hyperparameters.momentum": 0.5,
    "retrain.hyperparameters.weight_decay": 0.5,
    "retrain.hyperparameters.num_epochs": 3,
    "trainer.accelerator": "cpu",
    "trainer.enable_model_summary": True,
    "trainer.enable_progress_bar": True,
    "trainer.logger": True,
}
ONE_VALUE = {"optimize.goal", "trainer.strategy"}  # the others are refused, or mean the same


def decided(raw, monkeypatch):
    """All that a configuration decides: jobs, what they are told, where files are, and what is said."""
    config = load(raw)
    stages = ("train_supernet", "search_architecture", "retrain", "search_supernet", "retrain_final")
    with monkeypatch.context() as patch:
        for name in ("ABCI_GROUP", CANDIDATES, LOADER_WORKERS):
            patch.delenv(name, raising=False)
        export_environment(config)
        observed = [os.environ.get(name) for name in ("ABCI_GROUP", CANDIDATES, LOADER_WORKERS)]
    return [
        chain_of(config),
        [settings_of_job(STAGES[stage], config, read_search_space(config)) for stage in stages],
        (with_conditions(config).model_dump(), config.optimize.trial_number),
        (Plan(raw).source_settings(), config.dataset.retrain, config.environment.result_dir),
        config.trainer.model_dump(exclude={"strategy"}),
        (observed, collect_warnings(config, raw), prologue(config.ABCI.job_script_preamble, Path("/env/bin/python"))),
    ]


def test_another_value_is_known_of_every_key():
    theirs = {key for name in STUDY for key in dotted(yaml.safe_load((FILES / name).read_text()))}
    assert theirs == ANOTHER.keys() | ONE_VALUE


@pytest.mark.usefixtures("beside_the_files")
@pytest.mark.parametrize("key", ANOTHER)
def test_no_key_is_ignored(key, monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    other = yaml.safe_load((ROOT / "config/search_spaces/config_proxyless_cifar10.yaml").read_text())
    other["search_range"]["kernel_size"] = [3]
    (tmp_path / "mine/config_proxyless_cifar10.yaml").write_text(yaml.safe_dump(other))
    raw = given(*STUDY)
    changed = deepcopy(raw)
    assign(changed, key, ANOTHER[key])
    said = collect_warnings(load(raw), raw)
    if key.startswith("generic.") or key in ("ABCI.job_execution_options", "resource.type"):
        assert any(
            line.startswith(key.partition(".")[0]) for line in [*said, *collect_warnings(load(changed), changed)]
        )
    else:
        assert decided(changed, monkeypatch) != decided(raw, monkeypatch)


def test_end_of_the_range_of_alpha_is_accepted():
    found = ProposalLoop(
        make_strategy(SPACE, CostTable(SPACE, 1, 8), Search(algorithm="asng", alpha=0.0)),
        (0,),
        32,
        lambda _: (1.0, 0.5),
    )
    for place in range(32):
        found.step(place)
    assert len(found.observed) == 32
