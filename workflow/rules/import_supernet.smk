# Instead of supernet training: a supernet of another run (nas.supernet).


rule import_supernet:
    input:
        manifest=rules.download_dataset.output.manifest,
        weights=ancient(SUPERNET["weights"]),
        record=ancient(SUPERNET["record"]),
    output:
        weights=f"{RUN}/shared/supernet.safetensors",
        record=f"{RUN}/shared/supernet.json",
    log:
        f"{RUN}/shared/logs/import_supernet.log",
    localrule: True  # not in the Snakefile's list, since there may be no such rule
    conda:
        "../envs/nasmake.yaml"
    params:
        digest=SUPERNET["digest"],
        version=STAGE_VERSION["import_supernet"],  # for Snakemake alone: another one reruns the rule
    shell:
        "python scripts/import_supernet.py --weights {input.weights:q} --record {input.record:q}"
        " --manifest {input.manifest:q} --out {output.weights:q} > {log:q} 2>&1"
