"""Operations that a user wrote in Python: their names, and the file that defines them.

The file has a dictionary `OPERATIONS` with a class or function for each name:

    OPERATIONS = {"convnext": ConvNeXt}  # ConvNeXt(in_channels, out_channels, stride, kernel_size) returns a module

Reading the names runs nothing. `OwnOperation.make` runs the file. Counting costs lives in costs/own_costs.py. This
module imports core only; the user's file imports torch.
"""

import ast
import hashlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from nasmake.core.errors import InputError, shown
from nasmake.core.files import is_file, read_text
from nasmake.core.process import rank

KEY = "nas.operations"
TABLE = "OPERATIONS"
NAME = re.compile("[a-z][a-z0-9_]{0,39}")
EXAMPLE = f'{TABLE} = {{"my_block": MyBlock}}'


@dataclass(frozen=True)
class OperationsFile:
    """A Python file with operations.

    Attributes:
        path: the file, relative to the repository's root.
        sha256: checksum of the file that the study was planned with.
        names: the names of its operations.
        may_run: whether the user named the file for this study; otherwise its code is never run.
    """

    path: str
    sha256: str
    names: tuple[str, ...]
    may_run: bool


class OwnOperation(str):
    """The name of a user's operation, together with the file that defines it."""

    file: OperationsFile

    @classmethod
    def of(cls, name: str, file: OperationsFile) -> "OwnOperation":
        """Return the operation with this name."""
        operation = cls(name)
        operation.file = file
        return operation

    def make(self, in_channels: int, out_channels: int, stride: int, kernel_size: int) -> Any:
        """Run the file if this process has not done so yet, and return a new torch module of the operation.

        Raises:
            InputError: one line with file and line, if the user's code fails; or the file may not run.
        """
        with reported(self.file.path, f"operation {self}"):
            return self.definition(in_channels, out_channels, stride, kernel_size)

    @property
    def definition(self) -> Callable[..., Any]:
        """The class or function of the operation.

        Raises:
            InputError: the file may not run, has changed, or its code fails.
        """
        self.check_permission()
        return _definitions(self.file)[self]

    def check_permission(self) -> None:
        """Check that the user named the file.

        Raises:
            InputError: the file is only named by an architecture file.
        """
        if not self.file.may_run:
            raise InputError(
                f"operation {self} is Python code in {self.file.path}, which runs only if you name it; set {KEY}: "
                f"{self.file.path} in a study, or give a script the option --operations {self.file.path}"
            )


@contextmanager
def reported(path: str, what: str) -> Iterator[None]:
    """Turn an exception of a user's code into an error of one line, with the last line of `path` that was running.

    Raises:
        InputError: file, line, `what`, and the exception.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        line = lines[-1] if lines else getattr(error, "lineno", None)
        where, text = f"{path}: line {line}" if line else path, " ".join(str(error).split())[:200]
        raise InputError(f"{where}: {what}: {type(error).__name__}: {text}") from None


def read_operations(path: Path, taken: frozenset[str]) -> dict[str, Any]:
    """Return path, checksum and names of the operations in a file, without running it.

    Args:
        path: the file.
        taken: names that an operation cannot have.

    Raises:
        InputError: there is no such Python file, it has no OPERATIONS, or a name is not allowed.
    """
    if path.suffix != ".py" or not is_file(path):
        raise InputError(f"{path}: no such file; expected a Python file, whose name ends in .py")
    with reported(str(path), "syntax"):
        tree = ast.parse(text := read_text(path), str(path))
    names = _names(tree, str(path))
    for name in names:
        if name in taken:
            raise InputError(f"{path}: {TABLE} has {name}; expected another name, because nasmake has this operation")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InputError(f"{path}: {TABLE} has {shown(name)}; expected names of a to z, digits and _, as text")
    return {"file": str(path), "sha256": hashlib.sha256(text.encode()).hexdigest(), "names": names}


def _names(tree: ast.Module, source: str) -> list[Any]:
    """Return the keys of the dictionary OPERATIONS of a parsed file."""
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if not any(isinstance(target, ast.Name) and target.id == TABLE for target in targets):
            continue
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Dict) and value.keys:
            return [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
        raise InputError(f"{source}: line {statement.lineno}: expected a dictionary with names, such as {EXAMPLE}")
    raise InputError(f"{source}: {TABLE} is missing; expected a dictionary at the top level, such as {EXAMPLE}")


def operations_of(content: Mapping[str, Any] | None, may_run: bool) -> dict[str, OwnOperation]:
    """Return the operations that `read_operations` found, by name; none without a file.

    Args:
        content: the return value of `read_operations`.
        may_run: whether the user named the file for this study.
    """
    if content is None:
        return {}
    file = OperationsFile(content["file"], content["sha256"], tuple(content["names"]), may_run)
    return {name: OwnOperation.of(name, file) for name in file.names}


@cache
def _definitions(file: OperationsFile) -> Mapping[str, Callable[..., Any]]:
    """Run a file, and return its OPERATIONS. The bytes that run are those of the checksum."""
    text = read_text(Path(file.path))
    if hashlib.sha256(text.encode()).hexdigest() != file.sha256:
        raise InputError(f"{file.path}: has changed since the study was planned; type the same command again", KEY)
    if rank() == 0:
        print(f"{KEY}: runs the Python code of {file.path}", flush=True)
    module = ModuleType(f"nasmake_operations_{file.sha256[:8]}")
    module.__file__ = file.path
    sys.modules[module.__name__] = module  # dataclasses and pickle look classes up there
    with reported(file.path, "import"):
        exec(compile(text, file.path, "exec"), module.__dict__)
    definitions: Mapping[str, Callable[..., Any]] = getattr(module, TABLE)
    return definitions
