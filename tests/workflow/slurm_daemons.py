"""A real Slurm on this host, for tests: one node with two cores and two invented GPUs."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

CONFIG, GPUS = Path("/etc/slurm/slurm.conf"), Path("/etc/slurm/gres.conf")
DAEMONS = ("slurmctld", "slurmd")
PROGRAMS = ("munge", "munged", *DAEMONS, "sbatch")
INSTALL = "apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge"
MARK = "# of nasmake's tests\n"
OPTIONS = (  # of Snakemake, without pauses that a test needs not make
    *("--profile", "profiles/slurm", "--latency-wait", 5),
    *("--seconds-between-status-checks", 1, "--slurm-init-seconds-before-status-checks", 1),
    *("--slurm-status-command", "squeue", "--slurm-no-account"),  # there is no accounting here
    *("--default-resources", "mem_mb=1000", "--set-resources", *(f"{rule}:mem_mb=1000" for rule in (
        "train_supernet", "search_architecture", "retrain", "retrain_final"))),
)  # fmt: skip


def missing():
    """Why a Slurm cannot be started here; empty if it can."""
    if os.geteuid() != 0:
        return "starts Slurm's daemons, which needs root"
    if not all(shutil.which(program) for program in PROGRAMS):
        return f"needs Slurm; type: {INSTALL}"
    if CONFIG.exists() and not CONFIG.read_text().startswith(MARK):
        return f"{CONFIG} belongs to a cluster"
    return ""


class Slurm:
    """Munge, slurmctld and slurmd, while the context lasts."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        node = socket.gethostname().split(".")[0]
        CONFIG.write_text(MARK + _config(node, self.folder))
        GPUS.write_text("".join(f"NodeName={node} Name=gpu File=/dev/{file}\n" for file in ("null", "zero")))
        _start_munge()
        for daemon in DAEMONS:
            subprocess.run([daemon], check=True)
        deadline = time.monotonic() + 120
        while "idle" not in self.ask("sinfo", "--noheader", "--format", "%T"):
            assert time.monotonic() < deadline, f"no node: {(self.folder / 'slurmctld.log').read_text()[-2000:]}"
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.end_all()
        self.ask("scontrol", "shutdown")
        subprocess.run(
            ["pkill", "--signal", "KILL", "--exact", "slurmd"], check=False
        )  # it would wait for jobs that hang
        CONFIG.unlink()
        GPUS.unlink()

    def end_all(self):
        """Cancel the jobs that are left."""
        self.ask("scancel", "--user", "root")

    def ask(self, *command):
        """What a program of Slurm prints."""
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def _start_munge():
    """Start munged unless it answers: its files in /run outlive a machine that was stopped."""
    if subprocess.run(["munge", "--no-input", "--output", os.devnull], capture_output=True).returncode == 0:
        return
    run = Path("/run/munge")
    run.mkdir(exist_ok=True)
    owner = pwd.getpwnam("munge")
    os.chown(run, owner.pw_uid, owner.pw_gid)
    subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", f"{shutil.which('munged')} --force"], check=True)


def _config(node, folder):
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024  # MemTotal, in kB
    return f"""ClusterName=nasmake
SlurmctldHost={node}(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
NodeName={node} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory={memory - 500} Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""
