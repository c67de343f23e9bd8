import signal

from pbs_site import site  # noqa: F401 (a fixture)

# A shell starts a command in the background with SIGINT ignored, and its children would ignore what interrupts them.
signal.signal(signal.SIGINT, signal.default_int_handler)
