# Instead of the trials' retraining (nas.skip_retrain): the score that the search gave the network it found.


rule evaluate_inherited:
    input:
        suggestion=f"{RUN}/{{unit}}/suggestion.json",
        architecture=architecture,
    output:
        f"{RUN}/{{unit}}/result.json",
    log:
        f"{RUN}/{{unit}}/logs/evaluate_inherited.log",
    localrule: True  # not in the Snakefile's list, since there may be no such rule
    conda:
        "../envs/nasmake.yaml"
    params:
        version=STAGE_VERSION["evaluate_inherited"],  # for Snakemake alone: another one reruns the rule
    shell:
        "python scripts/evaluate_inherited.py --suggestion {input.suggestion:q} --architecture {input.architecture:q}"
        " --out {output:q} > {log:q} 2>&1"
