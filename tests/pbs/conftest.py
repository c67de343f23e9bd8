import pytest
from pbs_site import Site


@pytest.fixture
def site(tmp_path):
    """A work directory on a host with the stand-in for PBS."""
    made = Site(tmp_path)
    yield made
    made.end_all()
