"""Search the best architecture of a supernet: architecture.json."""

from collections.abc import Sequence

from nasmake.job import parse, script


def main(argv: Sequence[str] | None = None) -> None:
    job = parse("search_architecture", __doc__, argv, inputs=("supernet",), optional=("latency",))
    from nasmake.training.search import search_architecture

    search_architecture(job)


if __name__ == "__main__":
    script(main)
