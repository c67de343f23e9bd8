"""Tests of nasmake.report.results: files of a finished run that were damaged since."""

import pytest
from nasmake.core.errors import InputError
from nasmake.report.results import read_history

EVALUATIONS = "val_loss,val_accuracy,macs,decisions\n0.5,0.9,100,0 1\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("retrain", "epoch,val_loss\n1,0.5\n2,abc\n", "row 2: val_loss is abc; expected a number"),
        ("retrain", "epoch,val_loss\n,0.5\n", 'row 1: epoch is ""; expected a number'),
        ("retrain", "val_loss\n0.5\n", "column epoch is missing; the file has val_loss"),
        ("retrain", "epoch,val_loss\n1,0.", "ends within a row"),
        ("evaluations", "val_loss,macs\n0.5,100\n", "column val_accuracy is missing; the file has val_loss, macs"),
        ("evaluations", EVALUATIONS.replace("100", ""), 'row 1: macs is ""; expected a number'),
        ("probabilities", "epoch,decision,choice,probability\n1,block0,a,x\n", "row 1: probability is x; expected a"),
    ],
)
def test_damaged_history_is_one_line_with_the_path(tmp_path, name, content, message):
    path = tmp_path / f"{name}.csv"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_history(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_history_of_a_stage_without_an_epoch_may_have_no_row_and_a_column_may_be_empty(tmp_path):
    (tmp_path / "evaluations.csv").write_text("epoch\n")
    assert read_history(tmp_path / "evaluations.csv") == []
    (tmp_path / "retrain.csv").write_text("epoch,entropy\n1,\n2,nan\n")
    assert [row["entropy"] for row in read_history(tmp_path / "retrain.csv")] == ["", "nan"]
