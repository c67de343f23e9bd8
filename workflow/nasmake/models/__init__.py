"""Networks and the supernet as torch modules, and the recalibration of their batch normalisations.

Training loops live in engine and stages, descriptions of networks in search_spaces. This room imports torch and
search_spaces only.
"""
