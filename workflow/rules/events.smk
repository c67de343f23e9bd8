# What is printed and written when a run starts, ends or fails.

import atexit
import logging
import subprocess
import sys
import time
from pathlib import Path

from snakemake.settings.enums import Quietness

STARTED = time.time()

# A dry run ends after the table of rules. With -p or --verbose it also prints every job, with its command and settings.
OUTPUT = workflow.output_settings
IS_PLAIN = not (OUTPUT.printshellcmds or OUTPUT.verbose or OUTPUT.quiet)
if OUTPUT.dryrun and IS_PLAIN:
    OUTPUT.quiet = {Quietness.RULES, Quietness.PROGRESS}


def take_console():
    """Print one line for a job in place of Snakemake's block, which -p, --verbose and --quiet bring back."""
    from nasmake.report.console import Console

    for handler in logging.getLogger("snakemake.logging").handlers:
        if handler.name == "DefaultStreamHandler":  # there is none with --logger, whose plugin prints
            console = Console(PLAN, lambda line: print(f"{line}\n", end="", file=handler.stream, flush=True))
            handler.addFilter(console)
            return console


CONSOLE = take_console() if workflow.is_main_process and IS_PLAIN else None


def print_reasons():
    """Print why existing results are made again. Snakemake itself knows only that nasmake forces their jobs."""
    for line in CURRENT.explained():
        print(f"nasmake: {line}")


if OUTPUT.dryrun and workflow.is_main_process:
    atexit.register(print_reasons)  # the reasons are known when the table of jobs is, and a dry run has no other hook


def check_own_operations():
    """Run the code of nas.operations once in a process of its own, so that its errors come before any job."""
    facts = dataset_facts(CONFIG)
    command = [sys.executable, "scripts/check_operations.py", "--search-space", canonical_json(PLAN.search_space)]
    command += ["--channels", str(facts.channels or 1), "--input-size", str(facts.size)]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:  # the start has announced the code already
        sys.exit(1)


def forget_of_complete_study():
    """Remove what finished stages kept, if an earlier start was stopped when only the report's end was not noted."""
    from nasmake.pipeline.finished import forget_finished, kept_folders

    run = Path(RUN)
    if kept_folders(run) and Current(JOBS).outdated(JOBS.of("report", {})) is None:
        forget_finished(run)


if workflow.is_main_process and not OUTPUT.dryrun:
    atexit.register(forget_of_complete_study)  # Snakemake calls no handler if there is nothing to be done


onstart:
    from nasmake.core.hardware import check_device, describe_device
    from nasmake.report.live_journal import LiveJournal
    from nasmake.report.summary import write_resolved

    STOP.take_signals()  # the scheduler of Snakemake has taken SIGTERM
    try:
        if STOP.is_local:
            check_device(CONFIG.trainer.accelerator)
        write_resolved(Path(RUN) / "config.yaml", config)
    except InputError as error:
        sys.exit(f"error: {with_place(error, PLACES, workflow.config_settings.config)}")
    except OSError as error:
        sys.exit(f"error: {RUN}: cannot be written ({error.strerror}); expected a writable folder")
    if PLAN.operations and PLAN.search_space:
        check_own_operations()
    LiveJournal(PLAN).follow(lambda text: print(text, file=sys.stderr, flush=True))
    device = describe_device(CONFIG.trainer.accelerator)
    print_reasons()
    print(
        f"nasmake: run {CONFIG.run}, {len(PLAN.trials)} trials, results in {RUN}; training on {device}", flush=True
    )
    if CONSOLE is not None:
        CONSOLE.watch()


onsuccess:
    from nasmake.pipeline.finished import forget_finished

    forget_finished(Path(RUN))
    summary = Path(RUN) / "study" / "summary.txt"
    if summary.is_file() and Current(JOBS).outdated(JOBS.of("summarize_study", {})) is None:
        print(f"\n{summary.read_text()}", end="")  # no table if only a part of the study was asked for
    for table in (Path(RUN) / "evidence.md", Path(RUN) / "baselines.md"):
        if table.is_file() and table.stat().st_mtime >= STARTED:
            print(f"\n{table.read_text()}", end="")


onerror:
    from nasmake.report.summary import failures

    if STOP.number is None:
        print(*failures(Path(RUN), STARTED), sep="\n", file=sys.stderr)
