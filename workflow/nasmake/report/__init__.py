"""Tables and figures of a finished run. No torch here."""
