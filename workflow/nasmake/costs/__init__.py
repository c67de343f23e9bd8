"""Parameters, multiply-adds and latency of networks. No torch here."""
