import json
import os
import subprocess
import sys
from pathlib import Path

from nasmake.core.files import read_json
from nasmake.core.process import DATASET_URL
from small_data import write_cifar10_archive

SCRIPT = Path(__file__).parents[2] / "scripts" / "download_dataset.py"
URL = "http://me:s3cret@localhost:9/x?key=s3cret"  # port 9 is that of `discard`: nothing listens


def run(path, **settings):
    command = [sys.executable, SCRIPT, "--settings", json.dumps({"path": str(path), **settings})]
    command += ["--folder", path / settings["name"], "--out", path / "facts.json"]
    environment = os.environ | {DATASET_URL.format("cifar10"): URL}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_says_what_it_does_and_can_be_run_again(tmp_path):
    sha256 = write_cifar10_archive(tmp_path / "cifar-10-python.tar.gz")
    first, second = (run(tmp_path, name="cifar10", sha256=sha256) for _ in range(2))
    assert first.returncode == second.returncode == 0 and first.stderr == second.stderr == ""
    end = ["images: 200 train, 50 test", f"ready: {tmp_path}/cifar10"]
    assert first.stdout.splitlines() == [
        f"source: {tmp_path}/cifar-10-python.tar.gz (already there)",
        f"checksum ok: sha256 {sha256}",
        *end,
    ]
    assert second.stdout.splitlines() == [f"data set: {tmp_path}/cifar10 (already there, all checksums ok)", *end]
    assert read_json(tmp_path / "cifar10" / "manifest.json")["provenance"]["url"] == "http://***@localhost:9/x?key=***"


def test_secrets_of_the_url_show_nowhere(tmp_path):
    done = run(tmp_path, name="cifar10", sha256="0" * 64)
    assert done.returncode == 1
    assert done.stderr.startswith("error: http://***@localhost:9/x?key=***: download failed (")
    assert "s3cret" not in done.stdout + done.stderr


def test_mistake_is_one_line_without_traceback(tmp_path):
    done = run(tmp_path, name="image_folder", image_size=16)
    assert done.returncode == 1
    assert done.stderr.startswith("error: dataset.path: ") and done.stderr.count("\n") == 1


def test_folder_that_cannot_be_written_is_one_line_too(tmp_path):
    (tmp_path / "file").touch()
    done = run(tmp_path / "file", name="digits")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and "/file" in done.stderr
