"""Tools that every other package of nasmake may use.

The modules here import the standard library, numpy and each other, and nothing else of nasmake.
"""
