"""Training with exact resume; knows no stage."""
