#!/usr/bin/env -S python3 -S -E
"""A PBS server for tests, on one host. A symbolic link named qsub, qstat or qdel runs that command.

Job states, exit statuses and messages are those of OpenPBS servers that were used as an ordinary user: each is a line
of `transcripts.txt`. Jobs start in a home folder with a minimal environment and the umask 077. The folder `state`, next
to the links, holds the state of the server. A test can write these files to the folder to change what the server does:

  minute          seconds that a minute of walltime takes; default 60
  kill_delay      seconds between SIGTERM and SIGKILL; default 1 (a real server waits 10)
  hold            if this file exists, jobs stay queued
  held            JSON list of job ids that qstat reports as held
  stopped         name of a queue that does not start jobs; `hold` has to exist too
  qstat_seconds   seconds that qstat takes
  qsub_seconds    seconds until qsub accepts a job
  qsub_no_reply   if this file exists, qsub accepts jobs but reports that the server did not reply
  qsub_hangs      if this file exists, qsub accepts jobs but never prints their ids
  disabled        name of a queue that is not enabled
  shutting_down   if this file exists, the server accepts no jobs because it shuts down
  unreachable     if this file exists, qsub cannot connect to the server
  group           the only project that may submit jobs
  qdel_fails      if this file exists, qdel cannot connect to the server
  qdel_refuses    id of a job that the user may not delete
  node_down       if this file exists, jobs that are deleted do not end
  qstat_failures  number of calls of qstat that fail; each failure decreases it
  limit           maximum number of queued and running jobs
  shell_ends      if this file exists, a deleted job ends with the status that its shell gives to the signal
  ends/<name>     JSON list of attributes that a job of this name gets, one after the other, instead of running
"""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(sys.argv[0]).absolute().parent / "state"
HOME = STATE / "home"
QUEUES = ("rt_HC", "rt_HG", "rt_HF", "R1234")
USER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C"}
DELETED = "91"  # substate
DEFAULT_UMASK = "77"
USAGE = "\nusage: qsub [-a date_time] [-A account_string] [-c interval]\n\t[-C directive_prefix] [-e path] [-f]"


def main():
    program = Path(sys.argv[0]).name
    with (STATE / "calls").open("a") as calls:
        calls.write(json.dumps([program, *sys.argv[1:]]) + "\n")
    sys.exit({"qsub": qsub, "qstat": qstat, "qdel": qdel}[program](sys.argv[1:]))


def setting(name, default):
    """Return the value of a file that a test wrote, converted to the type of `default`."""
    path = STATE / name
    return type(default)(path.read_text()) if path.is_file() else default


def refuse(text, status):
    """Print an error message and return the exit status."""
    print(text, file=sys.stderr)
    return status


# -- qsub


def qsub(arguments):
    options, script = parse_arguments(arguments)
    options = parse_directives(script) | options
    resources = dict(part.split("=", 1) for part in options.get("-l", []))
    status = refuse_arguments(options, script) or refuse_job(options, resources)
    return status or accept_job(options, resources, script)


def refuse_arguments(options, script):
    """Refuse what qsub refuses before it asks the server; returns the exit status, or 0."""
    if not Path(script).is_file():
        return refuse("qsub: script file:: No such file or directory", 1)
    if len(options["-N"][0]) > 230:
        return refuse("qsub: Job name is too long" + USAGE, 2)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", options["-N"][0]):
        return refuse("qsub: illegal -N value" + USAGE, 2)
    if not all(32 <= byte < 127 for path in options.get("-o", []) for byte in os.fsencode(path)):
        return refuse("qsub: illegal -o value" + USAGE, 2)
    if setting("unreachable", ""):
        return refuse("qsub: cannot connect to server pbs1 (errno=15010)", 255)
    return 0


def refuse_job(options, resources):
    """Refuse what the server and the hook of the site refuse; returns the exit status, or 0."""
    if setting("shutting_down", ""):
        return refuse("qsub: Request not allowed: Server shutting down", 212)
    if "-P" not in options:
        return refuse("qsub: group is not specified.", 32)
    if options["-P"][0] != setting("group", options["-P"][0]):
        return refuse(f"qsub: group {options['-P'][0]} is not available for you.", 32)
    queue = options.get("-q", ["none"])[0]
    if queue not in QUEUES:
        return refuse("qsub: Unknown queue", 170)
    if queue == setting("disabled", ""):
        return refuse("qsub: Queue is not enabled", 173)
    if unknown := resources.keys() - {"select", "walltime"}:
        return refuse(f"qsub: Unknown resource Resource_List.{min(unknown)}", 187)
    if seconds(resources["walltime"]) > 168 * 3600:
        return refuse("qsub: Job violates queue and/or server resource limits", 188)
    return 0


def accept_job(options, resources, script):
    """Queue a job, start it, and print its id; returns the exit status."""
    time.sleep(setting("qsub_seconds", 0.0))
    with locked():
        if len([job for job in all_jobs() if job["job_state"] != "F"]) >= setting("limit", 1000):
            return refuse("qsub: would exceed queue generic's per-user limit", 38)
        number = setting("next", 1)
        (STATE / "next").write_text(str(number + 1))
        job = f"{number}.pbs1"
        (STATE / f"{job}.sh").write_bytes(Path(script).read_bytes())
        attributes = {"Job_Name": options["-N"][0], "queue": options["-q"][0], "job_state": "Q", "substate": "10"}
        log = Path.cwd() / options.get("-o", [f"{options['-N'][0]}.o{number}"])[0]
        words = [word for value in options.get("-W", []) for word in value.split(",")]
        umask = dict(word.split("=") for word in words).get("umask", DEFAULT_UMASK)
        extra = {"project": options["-P"][0], "Output_Path": f"host:{log}", "walltime": resources["walltime"]}
        extra["umask"] = umask
        folder = str(Path.cwd()).replace(",", "\\,")
        variables = ",".join([f"PBS_O_WORKDIR={folder}", *options.get("-v", [])])
        save(job, attributes | extra | {"select": resources["select"], "Variable_List": variables})
    if not setting("hold", "") and detached():
        try:
            run_job(job)
        finally:
            os._exit(0)
    if setting("qsub_hangs", ""):
        time.sleep(600)
    if setting("qsub_no_reply", ""):
        return refuse("Failed to recv data from background qsub", 255)
    print(job)
    return 0


def parse_arguments(arguments):
    """Return the options, as lists of values by name, and the script."""
    options, rest = {}, list(arguments)
    while rest and rest[0].startswith("-"):
        options.setdefault(rest[0], []).append(rest[1])
        rest = rest[2:]
    (script,) = rest
    return options, script


def parse_directives(script):
    """Return the options in the lines of the script that start with #PBS, as lists of values by name."""
    options = {}
    for line in Path(script).read_text().splitlines() if Path(script).is_file() else []:
        if line.startswith("#PBS "):
            words = line.split()[1:]
            for option, value in zip(words[::2], words[1::2], strict=True):
                options.setdefault(option, []).append(value)
    return options


def seconds(walltime):
    hours, minutes, rest = map(int, walltime.split(":"))
    return hours * 3600 + minutes * 60 + rest


# -- the node


def detached():
    """Fork. Return True in the new process, which runs in its own session and without the terminal's streams."""
    if os.fork():
        return False
    os.setsid()
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    return True


def run_job(job):
    """Run a job until it ends, as the PBS process on a node does."""
    attributes = change(job, {"job_state": "R", "substate": "42"}, unless_ended=True)
    if attributes["job_state"] != "R":
        return
    ends = STATE / "ends" / attributes["Job_Name"]
    if ends.is_file():
        for changes in json.loads(ends.read_text()):
            time.sleep(0.5)
            change(job, changes)
        return
    HOME.mkdir(exist_ok=True)
    names = {"HOME": str(HOME), "PBS_JOBID": job, "PBS_QUEUE": attributes["queue"], "PBS_ENVIRONMENT": "PBS_BATCH"}
    pairs = re.split(r"(?<!\\),", attributes["Variable_List"])
    names |= dict(pair.replace("\\,", ",").split("=", 1) for pair in pairs)
    os.umask(int(attributes["umask"], 8))
    with Path(attributes["Output_Path"].removeprefix("host:")).open("a") as log:
        process = subprocess.Popen(
            ["/bin/bash", str(STATE / f"{job}.sh")],
            cwd=HOME,
            env=USER_ENVIRONMENT | names,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (STATE / f"{job}.pid").write_text(str(process.pid))
    change(job, wait_for_end(job, process, seconds(attributes["walltime"]) / 60 * setting("minute", 60.0)))


def wait_for_end(job, process, limit):
    """Wait at most `limit` seconds for a job and return its final attributes."""
    try:
        status = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        change(job, {"job_state": "E", "substate": "51", "Exit_status": "-29"})
        kill(process.pid)
        process.wait()
        comment = "Job has finished and exceeded resource walltime"
        return {"job_state": "F", "substate": "93", "Exit_status": "-29", "comment": comment}
    if (STATE / f"{job}.deleted").exists():
        ended = str(128 - status) if status < 0 and setting("shell_ends", "") else "271"
        return {"job_state": "F", "substate": DELETED, "Exit_status": ended, "comment": "terminated by user"}
    if status < 0:  # a signal killed the shell itself, as qsig does
        return {"job_state": "F", "substate": "93", "Exit_status": str(256 - status), "comment": "Job run and failed"}
    end = "finished" if status == 0 else "failed"
    substate = "93" if status else "92"
    return {"job_state": "F", "substate": substate, "Exit_status": str(status), "comment": f"Job run and {end}"}


def kill(session):
    """Send SIGTERM to a session and, if it does not end within kill_delay, SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(session, number)
        except ProcessLookupError:
            return
        for _ in range(int(setting("kill_delay", 1.0) * 20)):
            time.sleep(0.05)
            if subprocess.run(["pgrep", "--session", str(session)], stdout=subprocess.DEVNULL).returncode:
                return


# -- qstat


def qstat(arguments):
    time.sleep(setting("qstat_seconds", 0.0))
    failures = setting("qstat_failures", 0)
    if failures:
        (STATE / "qstat_failures").write_text(str(failures - 1))
        return refuse("qstat: cannot connect to server pbs1 (errno=15010)", 255)
    status = 0
    jobs = [argument for argument in arguments if not argument.startswith("-")]
    for job in jobs or [path.stem for path in STATE.glob("*.json")]:
        if (STATE / f"{job}.json").is_file():
            print(format_job(job, shown(job)), end="\n\n")
        else:
            status = refuse(f"qstat: Unknown Job Id {job}", 153)
    return status


def shown(job):
    """Return the attributes of a job as qstat reports them."""
    attributes = load(job)
    if job in json.loads(setting("held", "[]")):
        return attributes | {"job_state": "H"}
    if attributes["job_state"] == "Q" and attributes["queue"] == setting("stopped", ""):
        return attributes | {"comment": "Not Running: Queue not started."}
    return attributes


def format_job(job, attributes):
    """Return the attributes in the format of `qstat -f`: continuation lines of long values start with a tab."""
    lines = [f"Job Id: {job}"]
    for name, value in attributes.items():
        line = f"    {name} = {value}"
        pieces = [line[:78], *(line[start : start + 70] for start in range(78, len(line), 70))]
        lines.append("\n\t".join(pieces))
    return "\n".join(lines)


# -- qdel


def qdel(jobs):
    status = 0
    if setting("qdel_fails", ""):
        return refuse("qdel: cannot connect to server pbs1 (errno=15010)", 255)
    for job in jobs:
        if not (STATE / f"{job}.json").is_file():
            status = refuse(f"qdel: Unknown Job Id {job}", 153)
        elif load(job)["job_state"] == "F":
            status = refuse(f"qdel: Job has finished {job}", 35)
        elif job == setting("qdel_refuses", ""):
            status = refuse(f"qdel: Unauthorized Request {job}", 159)
        elif setting("node_down", ""):
            continue
        else:
            delete(job)
    return status


def delete(job):
    (STATE / f"{job}.deleted").touch()
    pid = STATE / f"{job}.pid"
    if load(job)["job_state"] == "Q":
        change(job, {"job_state": "F", "substate": DELETED, "comment": "Job deleted"})
        return
    while not pid.is_file():  # the job has just started
        time.sleep(0.02)
    if detached():
        kill(int(pid.read_text()))
        os._exit(0)


# -- state


def locked():
    """Lock the state; closing the returned file unlocks it."""
    stream = (STATE / "lock").open("a")
    fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def load(job):
    return json.loads((STATE / f"{job}.json").read_text())


def all_jobs():
    return [json.loads(path.read_text()) for path in STATE.glob("*.json")]


def save(job, attributes):
    new = STATE / f"{job}.new{os.getpid()}"
    new.write_text(json.dumps(attributes))
    new.replace(STATE / f"{job}.json")


def change(job, changes, unless_ended=False):
    """Change attributes of a job and return all of them; with unless_ended, do not change a job that has ended."""
    with locked():
        attributes = load(job)
        if not (unless_ended and attributes["job_state"] == "F"):
            attributes |= changes
            save(job, attributes)
    return attributes


if __name__ == "__main__":
    main()
