"""profiles/abci: its queues in a plan, and a study through it on a stand-in for PBS."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, make_checkout
from studies import artefacts, write_config

LOCAL = {
    "all",
    "download_dataset",
    "suggest",
    "promote",
    "summarize_study",
    "export_best",
    "report",
    "evidence",
    "random_network",
    "import_architecture_of_baselines",
    "baselines",
}
WARNING = (
    "warning: ABCI.group: no group pays for PBS jobs, unless pbs-project names one; type: export ABCI_GROUP=your-group"
)


def queues(plan):
    """Rule and queue of every job of a plan; None where it has no queue."""
    blocks = re.split(r"^(?:local)?(?:rule|checkpoint) ", plan, flags=re.MULTILINE)[1:]
    found = [(block.partition(":")[0], re.search(r"pbs_queue=(\S+)", block)) for block in blocks]
    return {(rule, queue and queue[1]) for rule, queue in found}


@pytest.mark.parametrize(("gpus", "queue"), [(0, "rt_HC"), (1, "rt_HG"), (4, "rt_HF")])
def test_plan_names_the_queue_of_every_job(checkout, gpus, queue):
    study = write_config(checkout.folder, {"environment": {"gpus": gpus}})
    found = queues(checkout.run("-n", "-p", "--workflow-profile", "abci", "--configfile", study))
    assert {(rule, name) for rule, name in found if rule not in LOCAL} == {
        (rule, queue) for rule in ("train_supernet", "search_architecture", "retrain")
    }
    assert {name for rule, name in found if rule in LOCAL} == {None}


def test_first_walltime_of_the_configuration_keeps_the_queues(checkout):
    study = write_config(checkout.folder)
    options = ("-n", "-p", "--workflow-profile", "abci", "--configfile", study)
    walltimes = r"^rule (train_supernet|search_architecture|retrain):.*?runtime=(\d+)"
    for arguments, minutes in (((), "120"), (("--config", "environment={first_walltime: 30}"), "30")):
        plan = checkout.run(*options, *arguments)
        found = set(re.findall(walltimes, plan, re.MULTILINE | re.DOTALL))
        assert found == {(rule, minutes) for rule in ("train_supernet", "search_architecture", "retrain")}
        assert ("retrain", "rt_HG") in queues(plan)


def test_evidence_and_other_chains_have_queues_too(checkout):
    plan = checkout.run(
        "-n", "-p", "--workflow-profile", "abci", "--configfile", "config/presets/evidence.yaml", "--", "evidence"
    )
    found = queues(plan)
    assert ("search_by_lookup", "rt_HC") in found
    assert {name for rule, name in found if rule not in LOCAL} == {"rt_HC", "rt_HG"}
    compared = ("--configfile", "config/presets/baselines.yaml", "--", "baselines")
    found = queues(checkout.run("-n", "-p", "--workflow-profile", "abci", *compared))
    assert {name for rule, name in found if rule not in LOCAL} == {"rt_HC", "rt_HG"}
    simultaneous = {"nas": {"type": "simultaneous"}, "search": {"algorithm": "asng", "constraint": {"latency_ms": 9}}}
    study = write_config(checkout.folder, simultaneous)
    found = queues(checkout.run("-n", "-p", "--workflow-profile", "abci", "--configfile", study))
    assert {("search_supernet", "rt_HG"), ("measure_latency", "rt_HG")} <= found


def test_by_name_after_setup_without_a_group(checkout, tmp_path):
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home/.config")}
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "ABCI_GROUP"} | home
    link = [sys.executable, "scripts/link_profiles.py"]
    subprocess.run(link, cwd=checkout.folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    study = write_config(checkout.folder, {"ABCI": {"group": "[group]"}})

    def plan(*arguments, **variables):
        command = checkout.command("-n", "--profile", "abci", "--configfile", study, *arguments)
        finished = subprocess.run(
            command, cwd=checkout.folder, env=environment | variables, capture_output=True, text=True, timeout=120
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stderr

    assert WARNING in plan()
    assert WARNING not in plan(ABCI_GROUP="grp")
    assert WARNING not in plan("--pbs-project", "grp")
    assert WARNING not in plan(SNAKEMAKE_PBS_PROJECT="grp")
    assert WARNING not in plan("--config", "ABCI={group: grp}")


QUICK = ("--seconds-between-status-checks", 1, "--latency-wait", 5, "--set-resources", "train_supernet:runtime=attempt")
STUDY = {
    "nas": {"num_epochs_supernet_train": 12, "num_epochs_retrain": 30},
    "trainer": {"accelerator": "cpu"},
    "optimize": {"trial_number": 2},
    "promote": {"top": 1},
}


def test_submission_without_a_group_is_refused_before_any_job(checkout, site):
    site.folder = checkout.folder
    study = write_config(checkout.folder)
    status, printed = site.run("--profile", "profiles/abci", "--configfile", study, project=None, options=())
    assert status == 1
    assert (
        "--pbs-project is $ABCI_GROUP: the environment variable ABCI_GROUP is not set; expected the project that pays "
        "for PBS jobs; type: export ABCI_GROUP=your-project, or give --pbs-project"
    ) in printed
    assert not (checkout.folder / "results").exists() and site.calls("qsub") == []


def _checkout(folder):
    """Make a checkout whose PBS jobs use its own package: they do not have the environment of the tests."""
    checkout = make_checkout(folder)
    with (folder / "profiles/abci/prologue.sh").open("a") as prologue:
        prologue.write('export PYTHONPATH="$PWD/workflow"\n')
    return checkout


@pytest.mark.slow
def test_study_with_a_job_that_is_cut_off_and_a_crash(tmp_path, site, undisturbed):
    """Supernet training outlives a walltime; Snakemake is killed while retraining runs; the same results."""
    checkout = _checkout(tmp_path / "nasmake")
    write_config(checkout.folder, STUDY, {"ABCI": {"group": "paying"}})
    site.folder = checkout.folder
    arguments = ("--profile", "profiles/abci", "--configfile", "study.yaml", *QUICK)

    def in_the_middle(stage):
        return any((checkout.folder / "results/tiny").glob(f"*/.resume/{stage}-*/training.ckpt"))

    site.set("minute", 60)  # seconds of a minute of walltime
    site.set("kill_delay", 10)
    process = site.start(*arguments, project=None, options=())
    site.wait_for(lambda: in_the_middle("train_supernet"), seconds=200)
    with _held(site, "1.pbs1", "train_supernet"):
        site.wait_for(lambda: site.states()["1.pbs1"] == "E/51/-29", seconds=120)
    site.wait_for(lambda: site.states()["1.pbs1"] == "F/93/-29")
    site.wait_for(lambda: in_the_middle("retrain"), seconds=300)
    process.kill()
    process.wait()
    before = len(site.jobs())
    running = [job for job, state in site.states().items() if state == "R/42"]
    assert running

    process = site.start(*arguments, project=None, options=())
    assert process.wait(timeout=500) == 0, site.printed.read_text()[-6000:]
    assert {call[call.index("-P") + 1] for call in site.calls("qsub")} == {"paying"}
    names = [found["Job_Name"] for found in site.jobs().values()]
    assert names.count("train_supernet.shared") >= 2
    assert [names.count(f"retrain.trial-{trial:04d}") for trial in range(2)] == [1, 1]
    assert {site.states()[job] for job in running} == {"F/92/0"} and len(names) > before
    log = (checkout.folder / "results/tiny/shared/logs/train_supernet.log").read_text().splitlines()
    assert [sum(line.startswith(f"epoch {epoch:4d}/12 ") for line in log) for epoch in range(1, 13)] == [1] * 12
    assert artefacts(checkout.folder / "results/tiny") == undisturbed


@pytest.mark.slow
def test_group_reads_a_study_in_a_folder_that_is_not_ascii(tmp_path, site):
    """The same results as on this host, each with the permissions that the user's umask gives."""
    short = STUDY | {"nas": {"num_epochs_supernet_train": 2, "num_epochs_retrain": 2}, "optimize": {"trial_number": 1}}
    short = short | {"final": {"baseline": False}, "ABCI": {"group": "paying"}}
    checkout = _checkout(tmp_path / "日本 実験")
    write_config(checkout.folder, short)
    site.folder, site.umask = checkout.folder, 0o027
    quick = ("--seconds-between-status-checks", 1, "--latency-wait", 5)
    process = site.start("--profile", "profiles/abci", "--configfile", "study.yaml", *quick, project=None, options=())
    assert process.wait(timeout=400) == 0, site.printed.read_text()[-6000:]
    results = checkout.folder / "results/tiny"
    assert {job["walltime"] for job in site.jobs().values()} == {"2:00:00"}
    assert set(site.states().values()) == {"F/92/0"}
    written = [path for path in results.rglob("*") if ".resume" not in path.parts]
    assert {oct(path.stat().st_mode & 0o777) for path in written if path.is_dir()} == {"0o750"}
    assert {oct(path.stat().st_mode & 0o777) for path in written if path.is_file()} == {"0o640"}
    assert artefacts(results) == artefacts(_on_this_host(tmp_path / "here", short))


@contextmanager
def _held(site, job, stage):
    """Stop a stage in the middle, and let it go on."""
    session = (site.state / f"{job}.pid").read_text()
    found = subprocess.run(
        ["pgrep", "--session", session, "-f", f"^python scripts/{stage}"], capture_output=True, text=True
    )
    (process,) = map(int, found.stdout.split())
    os.kill(process, signal.SIGSTOP)
    yield
    os.kill(process, signal.SIGCONT)


@pytest.mark.slow
def test_packed_study_goes_on_in_the_next_job(tmp_path, site, undisturbed):
    """pack.sh on one node: killed in supernet training, its lock left behind, submitted again."""
    checkout = _checkout(tmp_path / "nasmake")
    (checkout.folder / ".venv").symlink_to(sys.prefix)
    write_config(checkout.folder, STUDY, {"ABCI": {"group": "paying"}})
    site.folder = checkout.folder

    def submit():
        variables = "CONFIG=study.yaml,PYTHONPATH=workflow"  # the package of this checkout
        command = ["qsub", "-P", "paying", "-v", variables, "profiles/abci/pack.sh"]
        subprocess.run(command, cwd=checkout.folder, env=site.environment, check=True, stdout=subprocess.DEVNULL)

    results = checkout.folder / "results/tiny"
    submit()
    site.wait_for(lambda: any(results.glob("*/.resume/train_supernet-*/training.ckpt")), seconds=300)
    subprocess.run(["pkill", "--signal", "KILL", "--session", (site.state / "1.pbs1.pid").read_text()], check=True)
    site.wait_for(lambda: site.states()["1.pbs1"] == "F/93/265")
    (checkout.folder / ".snakemake/controller").write_text("another node")  # where the lock of the first one was made
    submit()
    site.wait_for(lambda: site.states()["2.pbs1"].startswith("F"), seconds=500)
    printed = (checkout.folder / "nasmake.o2").read_text()
    assert site.states()["2.pbs1"] == "F/92/0", printed[-6000:]
    log = (results / "shared/logs/train_supernet.log").read_text().splitlines()
    assert [sum(line.startswith(f"epoch {epoch:4d}/12 ") for line in log) for epoch in range(1, 13)] == [1] * 12
    assert artefacts(results) == undisturbed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Artefacts of STUDY, run on this host in one go."""
    return artefacts(_on_this_host(tmp_path_factory.mktemp("undisturbed") / "here", STUDY))


def _on_this_host(folder, study):
    checkout = make_checkout(folder)
    write_config(checkout.folder, study, {"ABCI": {"group": "paying"}})
    checkout.run("--configfile", "study.yaml", "--cores", 2)
    return Path(checkout.folder, "results/tiny")
