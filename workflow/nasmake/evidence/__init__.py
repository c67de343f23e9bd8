"""Does the search work? Searches are judged by a table of trained networks, and found networks compared with others."""
