# What the rules of the evidence are told, and from where.

from nasmake.evidence.plan import evidence_settings, lists, strategies, supernets

EASY = str(Path(CONFIG.dataset.path, CONFIG.evidence.easy_dataset))
NETWORKS = f"{RUN}/ranking/networks.json"
HISTORIES = [Path(path).name for path in rules.search_architecture.output.histories]


wildcard_constraints:
    kind="supernet|quarter|easy",
    list=r"ranking|selection-\d+",
    strategy="|".join(strategies()),
    seed=r"\d+",


def data_of(wildcards):
    """Input function: the images to train on."""
    folder = EASY if wildcards.kind == "easy" else DATASET
    return [f"{folder}/train_images.npy", f"{folder}/train_labels.npy"]


def manifest_of(wildcards):
    """Input function: the manifest of those images."""
    return f"{EASY if wildcards.kind == 'easy' else DATASET}/manifest.json"


def settings_for(stage):
    """Params function: the stage's settings with the unit's seed and, where it has one, its kind or strategy."""

    def settings(wildcards):
        named = dict(wildcards)
        changes = {"nas__seed": int(named["seed"])} if "seed" in named else {}
        changes |= {"search__algorithm": named["strategy"]} if "strategy" in named else {}
        return evidence_settings(stage, CONFIG, named.get("kind", "supernet"), **changes)

    return settings


def searched(wildcards):
    """Input function: the evaluations of every strategy with the seed of a selection; the ranking needs none."""
    seed = wildcards.list.removeprefix("selection-")
    found = {name: f"{RUN}/search-{name}-{seed}/history/evaluations.csv" for name in strategies()}
    return {} if wildcards.list == "ranking" else found
