"""Tables, figures and the page about a run. No torch here."""
