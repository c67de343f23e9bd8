"""Networks and the supernet as torch modules."""
