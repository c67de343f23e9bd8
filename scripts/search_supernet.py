"""Train the supernet and search it at the same time: supernet.safetensors, supernet.json, architecture.json."""

from collections.abc import Sequence

from nasmake.job import parse, script


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("search_supernet", __doc__, argv, optional=("latency",))
    from nasmake.training.supernet_search import search_supernet

    search_supernet(job)


if __name__ == "__main__":
    script(main)
