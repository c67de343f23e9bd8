"""Evidence that the search works: ranking, selection and ablations over several seeds (`make evidence`)."""
