# Instead of the search: a network from a file, for the classes and images of the data set.


rule import_architecture:
    input:
        manifest=rules.download_dataset.output.manifest,
    output:
        f"{RUN}/shared/architecture.json",
    log:
        f"{RUN}/shared/logs/import_architecture.log",
    localrule: True  # not in the Snakefile's list, since there may be no such rule
    conda:
        "../envs/nasmake.yaml"
    params:
        architecture=canonical_json(IMPORTED),
        version=STAGE_VERSION["import_architecture"],  # for Snakemake alone: another one reruns the rule
    shell:
        "python scripts/import_architecture.py --architecture {params.architecture:q}"
        " --manifest {input.manifest:q} --out {output:q} > {log:q} 2>&1"
