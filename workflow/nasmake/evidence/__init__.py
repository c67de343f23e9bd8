"""Does the search work? Ranking, selection and ablations over several seeds, with intervals (`make evidence`)."""
