# The chain of one trial: the stages that find or import an architecture, and the one that scores it.


for stage in CHAIN:

    include: f"{stage}.smk"


if not PLAN.architecture:

    include: "measure_latency.smk"
