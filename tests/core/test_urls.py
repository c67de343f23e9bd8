import pytest
from nasmake.core.urls import without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a/b.tar.gz", "https://example.org/a/b.tar.gz"),
        ("file:///data/b.tar.gz", "file:///data/b.tar.gz"),
        ("https://example.org:8080/b?token=s3cret&part=s3cret", "https://example.org:8080/b?token=***&part=***"),
        ("https://example.org/b?s3cret", "https://example.org/b?***"),
        ("https://example.org/b?a=1&s3cret", "https://example.org/b?***"),
        ("https://me:s3cret@example.org/b", "https://***@example.org/b"),
        ("https://me:s3cret@x@example.org/b#s3cret", "https://***@example.org/b"),
        ("https://me:s3cret@[broken/b?s3cret", "***"),
        ("//me:s3cret@host", "//***@host"),
        ("s3cret@host", "***"),
    ],
)
def test_secrets_are_hidden(url, shown):
    assert without_secrets(url) == shown
