"""What every room may use: standard library and numpy, nothing of nasmake."""
