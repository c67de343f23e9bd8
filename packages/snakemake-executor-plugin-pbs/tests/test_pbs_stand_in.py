"""The stand-in for PBS answers as real servers did: each of its answers is a line of transcripts.txt."""

import ast
import re
from pathlib import Path

import pbs_server
import pytest

TRANSCRIPTS = Path(__file__).with_name("transcripts.txt")
LINES = [line for line in TRANSCRIPTS.read_text().splitlines() if not line.startswith("#")]
ROWS = [[cell.strip() for cell in line.split("|")] for line in LINES]
# A job id, a project and a resource differ from call to call.
VARIES = re.compile(r"\b\d+\.(vm|pbs1)\b|(?<=group )\S+(?= is not available)|(?<=Resource_List\.)\S+")


def source():
    return ast.walk(ast.parse(Path(pbs_server.__file__).read_text()))


def text_of(node):
    """Return a string of the source code; a part that is computed is `*`, and the usage text is left out."""
    if isinstance(node, ast.BinOp):
        return text_of(node.left)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.Name):
        return {"DELETED": pbs_server.DELETED}.get(node.id, "*")
    return node.value if isinstance(node, ast.Constant) else "*"


def refusals():
    """Return text and exit status of each call of `refuse` in the stand-in."""
    calls = [node for node in source() if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse"]
    return [(text_of(call.args[0]), call.args[1].value) for call in calls]


@pytest.mark.parametrize(("text", "status"), refusals())
def test_each_refusal_is_that_of_a_server(text, status):
    assert [text, str(status)] in [[VARIES.sub("*", row[2]), row[1]] for row in ROWS if len(row) > 2]


def ends():
    """Return state, substate and exit status of each set of attributes that the stand-in gives to a job at its end."""
    found = []
    for node in source():
        if isinstance(node, ast.Dict):
            names = {text_of(key): text_of(value) for key, value in zip(node.keys, node.values, strict=True) if key}
            if names.get("job_state") in ("F", "E"):
                found.append("/".join(names[key] for key in ("job_state", "substate", "Exit_status") if key in names))
    return found


@pytest.mark.parametrize("end", ends())
def test_each_end_of_a_job_is_that_of_a_server(end):
    pattern = re.escape(end).replace(r"\*", r"[^/]+")
    assert [row[1] for row in ROWS if re.fullmatch(pattern, row[1])]


def test_there_are_answers_to_compare():
    assert len(refusals()) >= 17 and len(ends()) >= 5
    assert all(len(row) in (2, 3, 4) for row in ROWS)


def test_a_job_has_the_umask_that_a_server_gives_it():
    (umask,) = [row[2] for row in ROWS if row[0].startswith("umask inside a job")]
    assert int(umask, 8) == int(pbs_server.DEFAULT_UMASK, 8)
