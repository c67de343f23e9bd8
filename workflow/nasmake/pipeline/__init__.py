"""What the Snakefile imports: stages, checks, warnings. No torch here."""
