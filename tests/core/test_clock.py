"""Files from the future: a short wait for a small skew of clocks, one line for a clock that is wrong."""

import os
import re
import time

import pytest
from nasmake.core import clock
from nasmake.core.errors import InputError


def made(path, ahead):
    path.write_text("")
    then = time.time() + ahead
    os.utime(path, (then, then))
    return path


def test_files_of_the_past_cost_no_time(tmp_path, capsys):
    clock.wait_for_clock([made(tmp_path / "old", -1000), made(tmp_path / "older", -2000)])
    clock.wait_for_clock([])
    clock.wait_for_clock([tmp_path / "missing"])
    assert capsys.readouterr().out == ""


def test_a_small_skew_is_waited_for(tmp_path, capsys):
    newest = made(tmp_path / "newest", 1.5)
    clock.wait_for_clock([made(tmp_path / "old", -1000), newest])
    assert time.time() >= newest.stat().st_mtime
    assert re.fullmatch(rf"waiting [12] s: .* behind the time of {newest}\n", capsys.readouterr().out)


def test_a_wrong_clock_ends_the_job_with_one_line(tmp_path):
    future = made(tmp_path / "future", 24 * 3600)
    moment = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    with pytest.raises(InputError) as error:
        clock.wait_for_clock([made(tmp_path / "old", -1000), future])
    assert re.fullmatch(
        f"{future}: time is {moment}; expected a time before now, and the clock of this machine says {moment}; "
        f"set the clock right, or type: touch {future}",
        str(error.value),
    )
