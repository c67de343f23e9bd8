"""The example of config/guides/own_operations.md: two operations in Python, and a search space that has them."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.library import given_operations

GUIDE = Path(__file__).parents[1] / "config" / "guides" / "own_operations.md"
FILES = dict(re.findall(r"`([\w/]+\.(?:yaml|py))`:\n\n```\w+\n(.*?)```", GUIDE.read_text(), re.DOTALL))
HELD = TemporaryDirectory(prefix="own_operations")  # until the tests end
OPERATIONS, SPACE, STUDY = "my_ops.py", "my_spaces/config_mine_digits.yaml", "my_study.yaml"


def write_files(folder, right="", wrong=""):
    """Write the files of the guide, and return the Python file, in which the text `right` became `wrong`."""
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    assert right in FILES[OPERATIONS]
    (folder / OPERATIONS).write_text(FILES[OPERATIONS].replace(right, wrong, 1))
    return folder / OPERATIONS


def space_of(operations):
    """Return the space of the guide with the operations of a Python file."""
    return SearchSpace.from_mapping(yaml.safe_load(FILES[SPACE]), "mine_digits", SPACE, given_operations(operations))


def space_of_the_guide():
    return space_of(write_files(Path(HELD.name)))
