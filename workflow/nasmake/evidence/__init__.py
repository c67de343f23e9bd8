"""Does the search work? Rankings and searches are judged by a table of trained networks (`make evidence`)."""
