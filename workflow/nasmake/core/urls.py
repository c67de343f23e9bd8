"""URLs without the secrets in them: user names, passwords and the values of queries."""

from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"


def without_secrets(url: str) -> str:
    """Return a URL for logs and error lines, or `***` for a text that is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    if "@" in parts.path and not parts.netloc:  # user:password@host without http://
        return HIDDEN
    _, at, host = parts.netloc.rpartition("@")
    names = [name for name, has_value, _ in (entry.partition("=") for entry in parts.query.split("&")) if has_value]
    is_named = len(names) == parts.query.count("&") + 1
    query = "&".join(f"{name}={HIDDEN}" for name in names) if is_named else HIDDEN * bool(parts.query)
    return urlunsplit((parts.scheme, f"{HIDDEN}@{host}" if at else host, parts.path, query, ""))
