# nas.supernet: the supernet comes from another run instead of being trained.


rule import_supernet:
    input:
        unpack(inputs("import_supernet")),
        weights=ancient(PLAN.supernet["weights"]),
        record=ancient(PLAN.supernet["record"]),
    output:
        weights=f"{RUN}/shared/supernet.safetensors",
        record=f"{RUN}/shared/supernet.json",
    log:
        f"{RUN}/shared/logs/import_supernet.log",
    localrule: True  # not in the list of the Snakefile, since only some studies have this rule
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("import_supernet"),
    shell:
        "python scripts/import_supernet.py --weights {input.weights:q} --record {input.record:q}"
        " --manifest {input.manifest:q} --out {output.weights:q} --job {params.job:q} > {log:q} 2>&1"
