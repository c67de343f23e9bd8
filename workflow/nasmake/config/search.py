"""The section `search`: architecture search. Imported by the Snakefile: no torch here."""

from typing import Annotated, Literal

from pydantic import Field

from nasmake.config.base import Count, Fraction, NotNegative, Positive, Section

SEARCH_STRATEGIES = Literal["random", "evolution", "asng", "reinforce", "proxyless", "nsga2"]
COSTS = Literal["macs", "parameters", "latency_ms"]


class Constraint(Section):
    """Hard limits: a candidate above one is never evaluated."""

    macs: Count | None = Field(None, description="multiply-adds of one image; null: no limit")
    parameters: Count | None = Field(None, description="learnable parameters; null: no limit")
    latency_ms: Positive | None = Field(
        None, description="sum of measured pieces, in milliseconds (section latency); null: no limit"
    )


class Reward(Section):
    """The reward of MnasNet (arXiv 1807.11626): accuracy x (cost / target)^w."""

    metric: COSTS = Field("macs", description="cost of the reward")
    target: Positive | None = Field(
        None, description="cost that is aimed at, in the unit of the metric; null: the limit of search.constraint on it"
    )
    w_below: Annotated[float, Field(le=0)] = Field(-0.07, description="exponent up to the target; 0 counts nothing")
    w_above: Annotated[float, Field(le=0)] = Field(-0.07, description="exponent beyond the target")


class ExpectedCost(Section):
    """proxyless: the expected cost of the distribution in the loss of its steps (arXiv 1812.00332, section 3.3)."""

    loss: Literal["none", "linear", "power"] = Field(
        "none",
        description="linear: + weight (E - T) / T; power: x (log E / log T)^weight; E expected cost, T target",
    )
    metric: COSTS = Field(
        "macs", description="cost whose expectation counts, and is shown in the history even where loss is none"
    )
    target: Positive | None = Field(
        None, description="in the unit of the metric; null: the limit of search.constraint on it"
    )
    weight: Positive | None = Field(None, description="null: 0.1 for linear, 0.3 for power (published code)")


class Search(Section):
    """Architecture search. Defaults: single path one-shot (arXiv 1904.00420), section 3.4."""

    algorithm: SEARCH_STRATEGIES | None = Field(
        None,
        description="how candidates are proposed; null: evolution, but asng with nas.type simultaneous, "
        "or where alpha or epsilon is searched",
    )
    objective: Literal["loss", "mnasnet_reward"] = Field(
        "loss", description="what makes a network the better one: val loss, or the reward below"
    )
    reward: Reward = Field(default_factory=Reward, description="mnasnet_reward: val accuracy x (cost / target)^w")
    front: Annotated[list[COSTS], Field(min_length=1)] = Field(
        ["macs"],
        description="costs that span the Pareto front with val loss: on_front in evaluations.csv, objectives of nsga2",
    )
    batch_size: Count = Field(256, description="images per forward pass of an evaluation")
    population_size: Annotated[int, Field(ge=2)] = Field(
        50, description="candidates of an epoch; of a generation, for random, evolution and nsga2"
    )
    parent_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="evolution: parents, as a share of population_size, best of all evaluated"
    )
    max_age: Count | None = Field(
        None, description="evolution: generations in which a network may be a parent (aging); null: all that follow"
    )
    crossover_ratio: Fraction = Field(0.5, description="evolution: children by crossover, the others by mutation")
    mutation_prob: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="evolution: chance of each decision")
    samples_per_update: Annotated[int, Field(ge=2)] = Field(
        8, description="asng, reinforce: candidates between two updates of the distribution"
    )
    alpha: NotNegative = Field(1.5, description="asng: signal-to-noise ratio above which the steps grow")
    epsilon: NotNegative = Field(0.0, description="asng: weight of the number of parameters")
    delta0: Positive = Field(1.0, description="asng: size of the first step")
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25, description="simultaneous: share of the epochs that train weights only (ProxylessNAS: 40 of 160)"
    )
    update_interval: Count = Field(
        1, description="simultaneous: weight steps between two updates of the distribution (ProxylessNAS: 5)"
    )
    policy_lr: Positive = Field(0.2, description="reinforce: step of Adam")
    gates: Literal["two_path", "full"] = Field(
        "two_path", description="proxyless: options of a decision that compete in a step, two drawn ones or all"
    )
    architecture_lr: Positive = Field(0.006, description="proxyless: step of Adam (arXiv 1812.00332, CIFAR-10)")
    expected_cost: ExpectedCost = Field(default_factory=ExpectedCost, description="proxyless: cost in the loss")
    recalibration_images: Count = Field(2000, description="train images that set a candidate's BatchNorm statistics")
    random_baseline: bool = Field(
        True, description="as many evaluations by random search, to compare with; doubles the cost of the search"
    )
    constraint: Constraint = Field(default_factory=Constraint, description="hard limits")
