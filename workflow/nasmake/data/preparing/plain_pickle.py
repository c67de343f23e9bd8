"""Read a pickle of plain values and NumPy arrays without Python's unpickler.

An unpickler calls the functions that a pickle names, and a crafted pickle can crash the process even if these functions
are limited to those of NumPy. This reader calls none of them. It knows the opcodes of plain values, and rebuilds arrays
of numbers from their bytes. Text of Python 2 becomes bytes, as with `encoding="bytes"` of `pickle.loads`.

The opcodes are those of protocols 0 to 5, see the module pickletools of the standard library.
"""

import codecs
import math
import pickle
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")  # dtypes that an array may have
MOST_DIMENSIONS = 8

# Functions that a pickle may name. They are not called: `_Reader.reduce` does their work.
DTYPE, NDARRAY, RECONSTRUCT = ("numpy", "dtype"), ("numpy", "ndarray"), ("numpy._core.multiarray", "_reconstruct")
SCALAR, FROM_BUFFER = ("numpy._core.multiarray", "scalar"), ("numpy._core.numeric", "_frombuffer")
ENCODE, BYTES = ("_codecs", "encode"), ("__builtin__", "bytes")  # Python 3 writes bytes for Python 2 with these two
KNOWN = frozenset({DTYPE, NDARRAY, RECONSTRUCT, SCALAR, FROM_BUFFER, ENCODE, BYTES})


class PlainPickleError(Exception):
    """The pickle is damaged, or holds something else than plain values and arrays of numbers."""


class Function(tuple[str, str]):
    """The module and the name of a function of KNOWN."""


class Dtype:
    """A type of numbers. Its byte order follows after its name."""

    def __init__(self, name: Any) -> None:
        self.name = _text(name)
        if self.name not in NUMBERS:
            raise PlainPickleError(f"an array has the dtype {self.name}")
        self.dtype = np.dtype(self.name)

    def build(self, state: Any) -> None:
        """Set the byte order. The other entries of `state` are those of structured types, and must be empty."""
        _, order, *others = state
        if _text(order) not in ("<", ">", "|", "=") or others != [None, None, None, -1, -1, 0]:
            raise PlainPickleError("an array has a structured dtype")
        self.dtype = np.dtype(f"{_text(order)}{self.name}")


class Array:
    """An array, which is empty until its content follows."""

    def __init__(self, array: NDArray[Any] | None = None) -> None:
        self.array = np.zeros(0) if array is None else array

    def build(self, state: Any) -> None:
        """Rebuild the array from its version, shape, Dtype, memory order and bytes."""
        _, shape, dtype, is_fortran, content = state
        self.array = _array(content, dtype, shape, "F" if is_fortran else "C")


def load_plain(content: bytes) -> Any:
    """Return what a pickle holds. Arrays are rebuilt where they are values of the outermost dictionary.

    Memory is proportional to the size of `content`, whatever lengths and shapes the pickle states.

    Raises:
        PlainPickleError: see the class.
    """
    try:
        value = _Reader(content).read()
    except (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError, struct.error) as error:
        raise PlainPickleError(f"damaged pickle: {type(error).__name__}") from None
    if not isinstance(value, dict):
        return value
    return {key: entry.array if isinstance(entry, Array) else entry for key, entry in value.items()}


class _Reader:
    """A machine with a stack, as the module pickletools describes it."""

    def __init__(self, content: bytes) -> None:
        self.content, self.position = content, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.encoded = 0  # characters that ENCODE has returned

    def read(self) -> Any:
        """Follow the opcodes to the last one, and return the value on top of the stack."""
        while (opcode := self.take(1)) != pickle.STOP:
            if opcode in VALUES:
                self.stack.append(VALUES[opcode](self))
            elif opcode in ACTIONS:
                ACTIONS[opcode](self)
            else:
                raise PlainPickleError(f"opcode {opcode!r} has no place in a data set")
        return self.pop()

    def take(self, count: int) -> bytes:
        """Return the next bytes of the pickle."""
        taken = self.content[self.position : self.position + max(0, count)]
        if len(taken) != count:
            raise PlainPickleError("it is truncated")
        self.position += count
        return taken

    def line(self) -> bytes:
        """Return the next bytes before a newline."""
        end = self.content.index(b"\n", self.position)
        return self.take(end + 1 - self.position)[:-1]

    def number(self, form: str) -> Any:
        """Return the next number; `form` is that of the module struct."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def sized(self, form: str) -> bytes:
        """Return the bytes after their number."""
        return self.take(self.number(form))

    def memoize(self, index: int) -> None:
        """Keep the value on top of the stack."""
        self.memo[index] = self.stack[-1]

    def pop(self) -> Any:
        """Take one value from the stack."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise PlainPickleError("its stack is empty")
        return self.stack.pop()

    def pop_tuple(self, count: int) -> tuple[Any, ...]:
        """Take `count` values from the stack."""
        return tuple(reversed([self.pop() for _ in range(count)]))

    def pop_to_mark(self) -> list[Any]:
        """Take the values above the last mark from the stack."""
        height = self.marks.pop()
        entries = self.stack[height:]
        del self.stack[height:]
        return entries

    def extend(self, entries: list[Any]) -> None:
        """Append to the list on top of the stack."""
        _kind(self.stack[-1], list).extend(entries)

    def update(self, entries: Sequence[Any]) -> None:
        """Add keys and values, in turn, to the dictionary on top of the stack."""
        _update(_kind(self.stack[-1], dict), entries)

    def reduce(self, function: Any, arguments: Any) -> Any:
        """Return what a function of KNOWN would return."""
        match _kind(function, Function), _kind(arguments, tuple):
            case ("numpy", "dtype"), (name, *_):
                return Dtype(name)
            case (_, "_reconstruct"), (("numpy", "ndarray"), *_):
                return Array()
            case (_, "_frombuffer"), (content, dtype, shape, order):
                return Array(_array(content, dtype, shape, _text(order)))
            case (_, "scalar"), (dtype, content):
                return _array(content, dtype, (), "C").item()
            case (_, "encode"), (text, *_):
                self.encoded += len(_kind(text, str))
                if self.encoded > len(self.content):  # the pickle refers to one text many times
                    raise PlainPickleError("it holds more than its size")
                return text.encode("latin1")
            case (_, "bytes"), ():
                return b""
        raise PlainPickleError(f"it calls {'.'.join(function)} with other arguments")

    def build(self, state: Any) -> None:
        """Complete the array or dtype on top of the stack."""
        _kind(self.stack[-1], Array, Dtype).build(_kind(state, tuple))


def _function(module: Any, name: Any) -> Function:
    module, name = re.sub(r"^numpy\.core\b", "numpy._core", _text(module)), _text(name)  # the name before NumPy 2
    if (module, name) not in KNOWN:
        raise PlainPickleError(f"it asks for {module}.{name}, which has no place in a data set")
    return Function((module, name))


def _update(mapping: dict[Any, Any], entries: Sequence[Any]) -> dict[Any, Any]:
    for key, value in zip(entries[::2], entries[1::2], strict=True):
        # Keys are scalars: the hash of nested tuples can take time that is exponential in the size of the pickle.
        mapping[_kind(key, str, bytes, int)] = value
    return mapping


def _array(content: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any]:
    """Return an array that shares the memory of `content`, whose size must be that of the shape."""
    kind, shape = _kind(dtype, Dtype).dtype, _kind(shape, tuple)
    if len(shape) > MOST_DIMENSIONS or not all(type(edge) is int and edge >= 0 for edge in shape):
        raise PlainPickleError("an array has no shape")
    if len(_kind(content, bytes)) != math.prod(shape) * kind.itemsize or order not in ("C", "F"):
        raise PlainPickleError("an array has more or fewer bytes than its shape")
    return np.ndarray(shape, kind, content, order="F" if order == "F" else "C")


def _kind(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise PlainPickleError(f"it has a value of type {type(value).__name__} in a place for {expected}")
    return value


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(_kind(value, str))


def _decimal(line: bytes) -> int | bool:
    truth = {b"00": False, b"01": True}  # Python 2 writes them as integers of two digits
    return truth[line] if line in truth else int(line.rstrip(b"L"))


def _long(content: bytes) -> int:
    return int.from_bytes(content, "little", signed=True)


def _quoted(line: bytes) -> bytes:
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise PlainPickleError("a text has no quotes around it")
    return codecs.escape_decode(line[1:-1])[0]


# What an opcode pushes.
VALUES: dict[bytes, Callable[[_Reader], Any]] = {
    pickle.NONE: lambda reader: None,
    pickle.NEWTRUE: lambda reader: True,
    pickle.NEWFALSE: lambda reader: False,
    pickle.INT: lambda reader: _decimal(reader.line()),
    pickle.LONG: lambda reader: _decimal(reader.line()),
    pickle.BININT: lambda reader: reader.number("<i"),
    pickle.BININT1: lambda reader: reader.number("<B"),
    pickle.BININT2: lambda reader: reader.number("<H"),
    pickle.LONG1: lambda reader: _long(reader.sized("<B")),
    pickle.LONG4: lambda reader: _long(reader.sized("<i")),
    pickle.FLOAT: lambda reader: float(reader.line()),
    pickle.BINFLOAT: lambda reader: reader.number(">d"),
    pickle.STRING: lambda reader: _quoted(reader.line()),
    pickle.BINSTRING: lambda reader: reader.sized("<i"),
    pickle.SHORT_BINSTRING: lambda reader: reader.sized("<B"),
    pickle.BINBYTES: lambda reader: reader.sized("<I"),
    pickle.SHORT_BINBYTES: lambda reader: reader.sized("<B"),
    pickle.BINBYTES8: lambda reader: reader.sized("<Q"),
    pickle.BYTEARRAY8: lambda reader: reader.sized("<Q"),
    pickle.UNICODE: lambda reader: reader.line().decode("raw-unicode-escape"),
    pickle.BINUNICODE: lambda reader: reader.sized("<I").decode(),
    pickle.SHORT_BINUNICODE: lambda reader: reader.sized("<B").decode(),
    pickle.BINUNICODE8: lambda reader: reader.sized("<Q").decode(),
    pickle.EMPTY_LIST: lambda reader: [],
    pickle.EMPTY_DICT: lambda reader: {},
    pickle.EMPTY_TUPLE: lambda reader: (),
    pickle.LIST: lambda reader: reader.pop_to_mark(),
    pickle.TUPLE: lambda reader: tuple(reader.pop_to_mark()),
    pickle.TUPLE1: lambda reader: reader.pop_tuple(1),
    pickle.TUPLE2: lambda reader: reader.pop_tuple(2),
    pickle.TUPLE3: lambda reader: reader.pop_tuple(3),
    pickle.DICT: lambda reader: _update({}, reader.pop_to_mark()),
    pickle.GET: lambda reader: reader.memo[int(reader.line())],
    pickle.BINGET: lambda reader: reader.memo[reader.number("<B")],
    pickle.LONG_BINGET: lambda reader: reader.memo[reader.number("<I")],
    pickle.GLOBAL: lambda reader: _function(reader.line(), reader.line()),
    pickle.STACK_GLOBAL: lambda reader: _function(*reader.pop_tuple(2)),
    pickle.REDUCE: lambda reader: reader.reduce(*reader.pop_tuple(2)),
}

# Opcodes that change the reader, or the value on top of its stack.
ACTIONS: dict[bytes, Callable[[_Reader], object]] = {
    pickle.PROTO: lambda reader: reader.take(1),
    pickle.FRAME: lambda reader: reader.take(8),
    pickle.MARK: lambda reader: reader.marks.append(len(reader.stack)),
    pickle.PUT: lambda reader: reader.memoize(int(reader.line())),
    pickle.BINPUT: lambda reader: reader.memoize(reader.number("<B")),
    pickle.LONG_BINPUT: lambda reader: reader.memoize(reader.number("<I")),
    pickle.MEMOIZE: lambda reader: reader.memoize(len(reader.memo)),
    pickle.APPEND: lambda reader: reader.extend([reader.pop()]),
    pickle.APPENDS: lambda reader: reader.extend(reader.pop_to_mark()),
    pickle.SETITEM: lambda reader: reader.update(reader.pop_tuple(2)),
    pickle.SETITEMS: lambda reader: reader.update(reader.pop_to_mark()),
    pickle.BUILD: lambda reader: reader.build(reader.pop()),
}
