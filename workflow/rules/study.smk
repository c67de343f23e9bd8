# The study over hyperparameters: one suggestion for each trial, and the promotion of the best trials.


rule suggest:
    input:
        unpack(inputs("suggest")),
    output:
        f"{RUN}/trial-{{trial}}/suggestion.json",
    log:
        f"{RUN}/trial-{{trial}}/logs/suggest.log",
    priority: 20000
    conda:
        "../envs/nasmake.yaml"
    params:
        study=PLAN.study_settings(),
        version=STAGES["suggest"].version,
        files=optional("previous", "observed"),
        job=job("suggest"),
    shell:
        "python scripts/suggest.py --study {params.study:q} --version {params.version} {params.files} --out {output:q}"
        " --job {params.job:q} > {log:q} 2>&1"


checkpoint promote:
    input:
        unpack(inputs("promote")),
    output:
        f"{RUN}/study/promoted.json",
    log:
        f"{RUN}/study/logs/promote.log",
    conda:
        "../envs/nasmake.yaml"
    params:
        top=CONFIG.promote.top,
        objectives=CONFIG.optimize.objectives,
        run=folder_above,
        trials=len(PLAN.trials),
        job=job("promote"),
    shell:
        "python scripts/promote.py --top {params.top} --objectives {params.objectives} --run {params.run:q}"
        " --trials {params.trials} --out {output:q} --job {params.job:q} > {log:q} 2>&1"
