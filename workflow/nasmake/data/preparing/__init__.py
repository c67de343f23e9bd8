"""Prepare data sets: turn an archive, image folders or a package's data into arrays and a manifest."""
