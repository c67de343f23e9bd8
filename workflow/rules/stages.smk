# The chain of a trial: what finds an architecture, or takes one (nas.architecture), and what scores it.


include: f"{CHAIN[-2]}.smk"
include: f"{CHAIN[-1]}.smk"
