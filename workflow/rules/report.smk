# Figures of the study; `make report` binds them into one offline page.


rule report:
    input:
        best=f"{RUN}/study/best.json",
        trials=f"{RUN}/study/trials.csv",
        promotion=f"{RUN}/study/promoted.json",
        finals=promoted("final.json"),
    output:
        FIGURES,
    log:
        f"{RUN}/report/logs/report.log",
    conda:
        "../envs/nasmake.yaml"
    params:
        study=study_settings(),
    shell:
        "python scripts/report.py --study {params.study:q} --run {RUN:q} --out {RUN:q}/report > {log:q} 2>&1"
