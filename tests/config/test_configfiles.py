from pathlib import Path

import pytest
from nasmake.config.configfiles import configuration_of, merged
from nasmake.core.errors import InputError


def test_later_files_override_earlier_ones_key_by_key(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("nas: {seed: 1, num_epochs_retrain: 5}\nrun: a\n")
    (tmp_path / "b.yaml").write_text("nas: {seed: 2}\n")
    assert merged([tmp_path / "a.yaml", tmp_path / "b.yaml"]) == {
        "nas": {"seed": 2, "num_epochs_retrain": 5},
        "run": "a",
    }


def test_configuration_begins_with_the_defaults(tmp_path: Path):
    (tmp_path / "study.yaml").write_text("run: mine\n")
    assert configuration_of([tmp_path / "study.yaml"]).run_folder == Path("results/mine")


@pytest.mark.parametrize("text, end", [("- 1\n", "content is no mapping; expected the sections of a configuration")])
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, text: str, end: str):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        merged([tmp_path / "study.yaml"])
    assert str(error.value) == f"{tmp_path / 'study.yaml'}: {end}"
