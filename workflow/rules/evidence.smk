# Does the search work? snakemake --configfile config/presets/evidence.yaml evidence
# The rules of a study run for several seeds and settings, in units of their own. No other target asks for them.

from nasmake.evidence.plan import LOOKED_UP, EvidencePlan

EVIDENCE = EvidencePlan(PLAN, JOBS)
EVIDENCE_CURRENT = Current(EVIDENCE)

# Only this target reads the table.
if workflow.is_main_process and "evidence" in sys.argv:
    try:
        EVIDENCE.check()
    except InputError as error:
        sys.exit(f"error: {with_place(error, PLACES, workflow.config_settings.config)}")


wildcard_constraints:
    kind="|".join(CONFIG.evidence.supernets()),
    strategy="|".join(LOOKED_UP),
    seed=r"\d+",


use rule train_supernet as train_supernet_of_evidence with:
    input:
        unpack(inputs("train_supernet_of_evidence", EVIDENCE_CURRENT)),
    output:
        **PLAN.outputs("train_supernet", "{kind}-{seed}"),
    log:
        f"{RUN}/{{kind}}-{{seed}}/logs/train_supernet.log",
    benchmark:
        f"{RUN}/{{kind}}-{{seed}}/benchmarks/train_supernet.tsv"
    priority: 30
    params:
        job=job("train_supernet_of_evidence", EVIDENCE),
        settings=EVIDENCE.settings("train_supernet"),
        files="",
        unit=folder,


use rule search_architecture as search_architecture_of_evidence with:
    input:
        unpack(inputs("search_architecture_of_evidence", EVIDENCE_CURRENT)),
    output:
        **PLAN.outputs("search_architecture", "gates-{seed}"),
    log:
        f"{RUN}/gates-{{seed}}/logs/search_architecture.log",
    benchmark:
        f"{RUN}/gates-{{seed}}/benchmarks/search_architecture.tsv"
    priority: 20
    params:
        job=job("search_architecture_of_evidence", EVIDENCE),
        settings=EVIDENCE.settings("search_architecture", "gates"),
        files=optional("supernet", "record"),
        unit=folder,


rule search_supernet_of_evidence:
    input:
        unpack(inputs("search_supernet_of_evidence", EVIDENCE_CURRENT)),
    output:
        **PLAN.outputs("search_supernet", "simultaneous-{seed}"),
    log:
        f"{RUN}/simultaneous-{{seed}}/logs/search_supernet.log",
    benchmark:
        f"{RUN}/simultaneous-{{seed}}/benchmarks/search_supernet.tsv"
    priority: 20
    retries: 2
    conda:
        "../envs/nasmake.yaml"
    threads: PLAN.threads
    resources:
        **PLAN.resources("search_supernet"),
    params:
        job=job("search_supernet_of_evidence", EVIDENCE),
        settings=EVIDENCE.settings("search_supernet", "simultaneous"),
        unit=folder,
    shell:
        "python scripts/search_supernet.py --settings {params.settings:q} --manifest {input.manifest:q}"
        " --accelerator {resources.accelerator} --display {resources.display}"
        " --attempt {resources.attempt} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule score_networks:
    input:
        unpack(inputs("score_networks", EVIDENCE_CURRENT)),
    output:
        f"{RUN}/{{kind}}-{{seed}}/scores.csv",
    log:
        f"{RUN}/{{kind}}-{{seed}}/logs/score_networks.log",
    benchmark:
        f"{RUN}/{{kind}}-{{seed}}/benchmarks/score_networks.tsv"
    conda:
        "../envs/nasmake.yaml"
    threads: CONFIG.trainer.num_threads
    resources:
        **PLAN.resources("score_networks"),
    params:
        job=job("score_networks", EVIDENCE),
        settings=EVIDENCE.settings("score_networks"),
        files=optional("table", "supernet", "record"),
        unit=folder,
    shell:
        "python scripts/score_networks.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator {resources.accelerator} --display {resources.display} --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule search_by_lookup:
    input:
        unpack(inputs("search_by_lookup", EVIDENCE_CURRENT)),
    output:
        f"{RUN}/lookup-{{strategy}}-{{seed}}/found.csv",
    log:
        f"{RUN}/lookup-{{strategy}}-{{seed}}/logs/search_by_lookup.log",
    benchmark:
        f"{RUN}/lookup-{{strategy}}-{{seed}}/benchmarks/search_by_lookup.tsv"
    conda:
        "../envs/nasmake.yaml"
    resources:
        gpu=0,
        mem_mb=2000,
        runtime=60,
    params:
        job=job("search_by_lookup", EVIDENCE),
        settings=EVIDENCE.settings("search_by_lookup"),
        files=optional("scores"),
        unit=folder,
    shell:
        "python scripts/search_by_lookup.py --settings {params.settings:q} --manifest {input.manifest:q} {params.files}"
        " --accelerator cpu --unit {params.unit:q} --job {params.job:q} > {log:q} 2>&1"


rule evidence:
    input:
        unpack(inputs("evidence", EVIDENCE_CURRENT)),
    output:
        multiext(f"{RUN}/evidence", ".json", ".md", ".svg", ".html"),
    log:
        f"{RUN}/logs/evidence.log",
    localrule: True
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("evidence", EVIDENCE),
        settings=EVIDENCE.own_settings,
        run=folder,
    shell:
        "python scripts/evidence.py --settings {params.settings:q} --run {params.run:q} --job {params.job:q} > {log:q} 2>&1"
