# Instead of the search: a network from a file, for the classes and images of the data set.


rule take_architecture:
    input:
        manifest=rules.download_dataset.output.manifest,
    output:
        f"{RUN}/shared/architecture.json",
    log:
        f"{RUN}/shared/logs/take_architecture.log",
    localrule: True  # not in the Snakefile's list, since there may be no such rule
    conda:
        "../envs/nasmake.yaml"
    params:
        architecture=canonical_json(TAKEN),
        version=STAGE_VERSION["take_architecture"],  # for Snakemake alone: another one reruns the rule
    shell:
        "python scripts/take_architecture.py --architecture {params.architecture:q}"
        " --manifest {input.manifest:q} --out {output:q} > {log:q} 2>&1"
