"""costs/own_costs.py: counted costs, formulas, and the errors of a user's code in one line."""

import own_operations
import pytest
from nasmake.core.errors import InputError
from nasmake.costs.own_costs import check_operations, own_macs, own_parameters
from nasmake.costs.units import units_of_space
from nasmake.search_spaces import LayerSpec
from nasmake.search_spaces.library import given_operations


def layer(operation, stride=1):
    return LayerSpec(operation, 3, 1, 4, 6, stride, residual=False)


def test_costs_by_hand(tmp_path):
    convnext, pool = given_operations(own_operations.write_files(tmp_path)).values()
    assert own_parameters(layer(convnext)) == 4 * 9 + 2 * 4 + (4 * 16 + 16) + (16 * 6 + 6)
    assert own_macs(layer(convnext), 5) == 25 * (4 * 9 + 4 * 16 + 16 * 6)
    assert own_macs(layer(convnext, stride=2), 5) == 9 * (4 * 9 + 4 * 16 + 16 * 6)
    assert (own_parameters(layer(pool)), own_macs(layer(pool), 5)) == (24 + 12, 25 * 24)


def test_an_own_formula_replaces_the_counted_multiply_adds(tmp_path):
    file = own_operations.write_files(tmp_path)
    formula = "lambda in_channels, out_channels, stride, kernel_size, input_size: 1000 * kernel_size + input_size"
    file.write_text(f"{file.read_text()}\n\npool.macs = {formula}\n")
    assert own_macs(layer(given_operations(file)["pool"]), 5) == 3005


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        ("from torch import nn", "from torch import n", "line 1: import: ImportError: cannot import name 'n'"),
        ("padding, inner", "padding, iner", "line 12: operation convnext: NameError: name 'inner' is not defined"),
        ("def pool(in_channels", "def pool(x, in_channels", "operation pool: TypeError: pool() missing 1 required"),
        ("kernel_size, stride, padding", "kernel_size, 1, padding", "operation convnext: returns [2, 24, 8, 8] for "),
        ("    return nn.Sequential(", "    return list((", "operation pool: is list; expected a torch.nn.Module"),
        (
            "kernel_size, stride, kernel_size // 2)",
            "kernel_size, stride)",
            "operation pool: returns [2, 24, 3, 3] for images [2, 16, 8, 8] at stride 2; expected [2, 24, 4, 4]",
        ),
        (
            "nn.BatchNorm2d(in_channels)",
            "Hidden()",
            "operation convnext: buffer 1.ones is not persistent; expected register_buffer without persistent=False",
        ),
        ("nn.GELU()", "nn.Linear(3, 3)", "operation convnext: RuntimeError: "),
    ],
)
def test_errors_of_the_code_name_file_and_line(tmp_path, right, wrong, error):
    file = own_operations.write_files(tmp_path, right, wrong)
    if wrong == "Hidden()":
        import_and_class = """from torch import nn, ones


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("ones", ones(1), persistent=False)

    def forward(self, x):
        return x
"""
        file.write_text(file.read_text().replace("from torch import nn\n", import_and_class))
    if wrong.endswith("list(("):
        file.write_text(file.read_text().replace("out_channels),\n    )", "out_channels),\n    ))"))
    with pytest.raises(InputError) as caught:
        check_operations(units_of_space(own_operations.space_of(file), 1, 8).values())
    text = str(caught.value)
    assert text.startswith(f"{file}: {error}") and "\n" not in text
