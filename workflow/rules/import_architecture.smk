# nas.architecture: the network comes from a file, for the classes and images of the data set. Nothing is searched.


rule import_architecture:
    input:
        unpack(inputs("import_architecture")),
    output:
        f"{RUN}/shared/architecture.json",
    log:
        f"{RUN}/shared/logs/import_architecture.log",
    localrule: True  # not in the list of the Snakefile, since only some studies have this rule
    conda:
        "../envs/nasmake.yaml"
    params:
        architecture=canonical_json(PLAN.architecture),
        job=job("import_architecture"),
    shell:
        "python scripts/import_architecture.py --architecture {params.architecture:q}"
        " --manifest {input.manifest:q} --out {output:q} --job {params.job:q} > {log:q} 2>&1"
