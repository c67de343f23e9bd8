# nas.skip_retrain: the result of a trial is the score that the search gave its network, with inherited weights.


rule evaluate_inherited:
    input:
        unpack(inputs("evaluate_inherited")),
    output:
        **PLAN.outputs("evaluate_inherited"),
    log:
        f"{RUN}/{{unit}}/logs/evaluate_inherited.log",
    localrule: True  # not in the list of the Snakefile, since only some studies have this rule
    conda:
        "../envs/nasmake.yaml"
    params:
        job=job("evaluate_inherited"),
    shell:
        "python scripts/evaluate_inherited.py --suggestion {input.suggestion:q} --architecture {input.architecture:q}"
        " --out {output:q} --job {params.job:q} > {log:q} 2>&1"
