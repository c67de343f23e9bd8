"""Training of the stages: Lightning modules, exact resume, stateless randomness."""
