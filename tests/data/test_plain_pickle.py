"""Tests of nasmake.data.preparing.plain_pickle. NASMAKE_FUZZ is the number of damaged pickles that are tried."""

import os
import pickle
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from nasmake.data.preparing.plain_pickle import PlainPickleError, load_plain
from small_data import python2_pickle

ROWS = np.arange(12, dtype=np.uint8).reshape(3, 4)
BATCH = {"labels": [3, 255, 256, 70000, -1], "data": ROWS, "batch_label": "training batch 1 of 5", "none": None}
# What Python 2.7 and NumPy 1.16 write for {'data': numpy.arange(4, dtype='u1').reshape(2, 2), 'labels': [1, 300]}
PYTHON2 = {
    0: (
        b"(dp0\nS'labels'\np1\n(lp2\nI1\naI300\nasS'data'\np3\ncnumpy.core.multiarray\n_reconstruct\np4\n(cnumpy\n"
        b"ndarray\np5\n(I0\ntp6\nS'b'\np7\ntp8\nRp9\n(I1\n(I2\nI2\ntp10\ncnumpy\ndtype\np11\n(S'u1'\np12\nI0\nI1\n"
        b"tp13\nRp14\n(I3\nS'|'\np15\nNNNI-1\nI-1\nI0\ntp16\nbI00\nS'\\x00\\x01\\x02\\x03'\np17\ntp18\nbs."
    ),
    2: (
        b"\x80\x02}q\x00(U\x06labelsq\x01]q\x02(K\x01M,\x01eU\x04dataq\x03cnumpy.core.multiarray\n_reconstruct\nq\x04"
        b"cnumpy\nndarray\nq\x05K\x00\x85U\x01b\x87Rq\x06(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87"
        b"Rq\x08(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x00\x01\x02\x03tbu."
    ),
}


@pytest.mark.parametrize("protocol", PYTHON2)
def test_python_2(protocol):
    read = load_plain(PYTHON2[protocol])
    assert read[b"labels"] == [1, 300] and read[b"data"].tolist() == [[0, 1], [2, 3]]
    assert read[b"data"].dtype == np.uint8


@pytest.mark.parametrize(
    ("protocol", "numpy_of"),
    [*((protocol, "numpy._core") for protocol in range(6)), *((protocol, "numpy.core") for protocol in range(4))],
)
def test_python_3_writes_values_and_arrays_in_every_protocol(protocol, numpy_of):
    arrays = {
        "rows": ROWS,
        "columns": np.asfortranarray(ROWS),
        "labels": np.arange(5),
        "swapped": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 3072), np.uint8),
    }
    values = {
        b"bytes": b"\x00\xff" * 200,
        "text": "ü\n" * 300,
        "numbers": [0, -1, 300, 2**40, -(2**70), 0.5, True, False, None, *list(np.arange(3))],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "dictionary": {1: [], "x": {}},
    }
    content = pickle.dumps(arrays | values, protocol).replace(b"numpy._core", numpy_of.encode())
    read = load_plain(content)
    for key, array in arrays.items():
        np.testing.assert_array_equal(read[key], array)
        assert read[key].dtype == array.dtype
    assert {key: read[key] for key in values} == values


def test_python_2_values_are_those_of_the_unpickler():
    content = python2_pickle(BATCH)
    read, expected = load_plain(content), pickle.loads(content, encoding="bytes")
    np.testing.assert_array_equal(read.pop(b"data"), expected.pop(b"data"))
    assert read == expected


class Call:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def array_of_objects():
    """Objects whose addresses are the bytes of the pickle: the dtype O8 with its flag for objects removed."""
    plain = pickle.dumps({b"data": np.arange(4, dtype=np.int64)}, 2)
    return plain.replace(b"X\x02\x00\x00\x00i8", b"X\x02\x00\x00\x00O8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array_of_objects(), "an array has the dtype O8"),
        (pickle.dumps({b"data": np.zeros(2, [("x", "u1")])}, 2), "an array has the dtype V1"),
        (pickle.dumps({b"data": Call(os.system, "true")}, 4), "it asks for posix.system, which has no place"),
        (pickle.dumps({b"data": Call(np.dtype, "u1", 0, 1)}, 2)[:-1], "truncated"),
        (pickle.dumps({1, 2}, 4), "opcode .* has no place"),
        (b"\x80\x02}" + b")" + b"\x86" * 3 + b".", "its stack is empty"),
        (b"\x80\x02}(N)u.", "in a place for str or bytes or int"),
        (b"\x80\x02h\x05.", "damaged pickle: KeyError"),
        (b"\x80\x02]}a", "truncated"),
        (b"", "truncated"),
    ],
)
def test_refused(content, message):
    with pytest.raises(PlainPickleError, match=message):
        load_plain(content)


def test_key_whose_hash_takes_for_ever_is_refused():
    key = b")q\x00" + b"h\x00\x86q\x00" * 60  # a pair of a pair of a pair ..., both halves of each are one object
    with pytest.raises(PlainPickleError, match="in a place for str or bytes or int"):
        load_plain(b"\x80\x02}" + key + b"Ns.")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02T\xff\xff\xff\x7f.",  # a text of 2 GiB
        b"\x80\x05\x8e" + b"\xff" * 7 + b"\x00.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02NN\x86r\xff\xff\xff\xff.",
        pickle.dumps({b"data": np.zeros(4, np.uint8)}, 2).replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85"),
        # One text of 10,000 characters becomes bytes 10,000 times.
        b"\x80\x02c_codecs\nencode\nq\x00X\x10\x27\x00\x00" + b"x" * 10000 + b"q\x01X\x06\x00\x00\x00latin1q\x02"
        b"](" + b"h\x00h\x01h\x02\x86R" * 10000 + b"e.",
    ],
)
def test_stated_sizes_allocate_no_memory(content):
    tracemalloc.start()
    with suppress(PlainPickleError):
        load_plain(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(content) + 100_000


def test_damaged_pickles_raise_one_kind_of_error_and_never_crash():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def damage(content: bytes, generator: np.random.Generator) -> bytes:
    """Change, insert, remove and copy some bytes."""
    damaged = bytearray(content)
    for _ in range(generator.integers(1, 6)):
        place, length = int(generator.integers(len(damaged) + 1)), int(generator.integers(1, 9))
        source = int(generator.integers(len(damaged) + 1))
        pieces = {
            0: bytes(generator.integers(0, 256, 1, dtype=np.uint8)),
            1: bytes(generator.integers(0, 256, length, dtype=np.uint8)),
            2: bytes(damaged[source : source + length]),
            3: b"",
            4: bytes(generator.choice(np.frombuffer(b"()]}0.NRbcehjqrtu\x80\x85\x86\x87\x8a\x93\x94", np.uint8), 2)),
        }
        removed = 0 if generator.random() < 0.3 else length
        damaged[place : place + removed] = pieces[int(generator.integers(len(pieces)))]
    return bytes(damaged)


def fuzz(count: int) -> None:
    bases = [*PYTHON2.values(), python2_pickle(BATCH), *(pickle.dumps(BATCH, protocol) for protocol in range(6))]
    for number in range(count):
        generator = np.random.default_rng(number)
        content = damage(bases[number % len(bases)], generator)
        try:
            load_plain(content)
        except PlainPickleError as error:
            assert str(error)
        except BaseException:
            print(Path(__file__).name, number, content, file=sys.stderr)
            raise


if __name__ == "__main__":
    fuzz(int(os.environ.get("NASMAKE_FUZZ", "1000")))
