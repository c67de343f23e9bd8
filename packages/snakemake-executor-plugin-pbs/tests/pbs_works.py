"""A workflow whose jobs run until a test lets them end."""

WORK = """
rule all:
    input: expand("{i}.txt", i=range(NUMBER)), "tail.txt"
rule work:
    input: "Snakefile.lock"
    output: "{i}.txt"
    params: word="WORD"
    resources: gpu=1
    shell: "touch begun.{wildcards.i}; while [ -e working ]; do sleep .2; done; echo {params.word} > {output}"
rule tail:
    input: expand("{i}.txt", i=range(NUMBER))
    output: "tail.txt"
    shell: "cat {input} > {output}"
"""


def write_workflow(site, number=6, word="first"):
    """Write the workflow WORK. Its jobs do not end before `finish` is called."""
    site.workflow(WORK.replace("NUMBER", str(number)).replace("WORD", word))
    (site.folder / "working").touch()
    lock = site.folder / "Snakefile.lock"
    if not lock.exists():
        lock.touch()


def finish(site):
    """Let the running jobs end."""
    (site.folder / "working").unlink()


def crash_while_running(site, number):
    """Start Snakemake and kill it when `number` jobs are running."""
    process = site.start()
    site.wait_for(lambda: site.all_running(number))
    site.crash(process)
