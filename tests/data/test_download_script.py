import json
import subprocess
import sys
from pathlib import Path

from small_data import write_cifar10_archive

SCRIPT = Path(__file__).parents[2] / "scripts" / "download_dataset.py"


def run(path, **settings):
    command = [sys.executable, SCRIPT, "--settings", json.dumps({"path": str(path), **settings})]
    command += ["--out", path / settings["name"]]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_says_what_it_does_and_can_be_run_again(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / "cifar-10-python.tar.gz")
    first, second = (run(tmp_path, name="cifar10", sha256=sha256) for _ in range(2))
    assert first.returncode == 0 and first.stderr == ""
    assert first.stdout == second.stdout
    assert first.stdout.splitlines() == [
        f"source: {tmp_path}/cifar-10-python.tar.gz (already there)",
        f"checksum ok: sha256 {sha256}",
        "images: 200 train, 50 test",
        f"written: {tmp_path}/cifar10",
    ]


def test_mistake_is_one_line_without_traceback(tmp_path):
    done = run(tmp_path, name="image_folder", image_size=16)
    assert done.returncode == 1
    assert done.stderr.startswith("error: dataset.path: ") and done.stderr.count("\n") == 1


def test_folder_that_cannot_be_written_is_one_line_too(tmp_path):
    (tmp_path / "file").touch()
    done = run(tmp_path / "file", name="digits")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and "file/digits" in done.stderr
