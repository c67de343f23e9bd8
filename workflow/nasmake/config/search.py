"""Section `search`: architecture search."""

from typing import Annotated, Literal

from pydantic import Field

from nasmake.config.base import Cost, Count, Fraction, NotNegative, Positive, Rate, Section, Target

SEARCH_STRATEGIES = Literal["random", "evolution", "asng", "reinforce", "proxyless", "nsga2", "predictor"]
COSTS = Literal["macs", "parameters", "latency_ms"]


class Constraint(Section):
    """Hard limits. The search never evaluates a candidate above a limit."""

    macs: Cost | None = Field(None, description="most multiply-adds for one image; null: no limit")
    parameters: Cost | None = Field(None, description="most learnable parameters; null: no limit")
    latency_ms: Positive | None = Field(
        None, description="largest latency in milliseconds, as the sum of the latency table's entries; null: no limit"
    )


class Reward(Section):
    """The reward of MnasNet (arXiv 1807.11626): accuracy x (cost / target)^w."""

    metric: COSTS = Field("macs", description="cost that the reward uses")
    target: Target | None = Field(
        None, description="desired cost, in the unit of the metric; null: the limit of search.constraint on the metric"
    )
    w_below: Annotated[float, Field(ge=-1000, le=0)] = Field(
        -0.07, description="exponent w for a cost up to the target; 0 ignores such a cost"
    )
    w_above: Annotated[float, Field(ge=-1000, le=0)] = Field(
        -0.07, description="exponent w for a cost above the target"
    )


class ExpectedCost(Section):
    """Strategy proxyless: the distribution's expected cost in the loss of its steps (arXiv 1812.00332, section 3.3)."""

    loss: Literal["none", "linear", "power"] = Field(
        "none",
        description="how the expected cost E and the target T change the cross-entropy; linear: + weight (E - T) / T; "
        "power: x (log E / log T)^weight; none: not at all",
    )
    metric: COSTS = Field("macs", description="cost whose expectation is computed; the history records it in any case")
    target: Target | None = Field(
        None, description="desired cost, in the unit of the metric; null: the limit of search.constraint on the metric"
    )
    weight: Positive | None = Field(
        None, description="weight of the cost; null: 0.1 for linear and 0.3 for power, as in the published code"
    )


class Search(Section):
    """Architecture search. The defaults are those of single path one-shot (arXiv 1904.00420, section 3.4)."""

    algorithm: SEARCH_STRATEGIES | None = Field(
        None,
        description="search strategy; null: asng if nas.type is simultaneous or alpha or epsilon is a hyperparameter "
        "of the study, else evolution",
    )
    objective: Literal["loss", "mnasnet_reward"] = Field(
        "loss", description="measure by which networks are compared: the val loss, or the reward of search.reward"
    )
    reward: Reward = Field(
        default_factory=Reward, description="reward of objective mnasnet_reward: val accuracy x (cost / target)^w"
    )
    front: Annotated[list[COSTS], Field(min_length=1, max_length=3)] = Field(
        ["macs"],
        description="costs that form the Pareto front together with the val loss; evaluations.csv marks the front in "
        "column on_front, and nsga2 minimises all of them",
    )
    batch_size: Count = Field(256, description="number of images in a forward pass of an evaluation")
    population_size: Annotated[int, Field(ge=2, le=100_000)] = Field(
        50,
        description="number of candidates in an epoch; one generation of random, evolution, nsga2 and predictor",
    )
    parent_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="evolution: number of parents, as a share of population_size; parents are the best so far"
    )
    max_age: Count | None = Field(
        None, description="evolution: number of generations in which a network may be a parent (aging); null: no limit"
    )
    crossover_ratio: Fraction = Field(
        0.5, description="evolution: share of the children that come from crossover; the others come from mutation"
    )
    mutation_prob: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="evolution: probability that a mutation changes a decision"
    )
    samples_per_update: Annotated[int, Field(ge=2, le=100_000)] = Field(
        8, description="asng and reinforce: number of candidates for each update of the distribution"
    )
    alpha: NotNegative = Field(1.5, description="asng: signal-to-noise ratio above which the step size grows")
    epsilon: NotNegative = Field(0.0, description="asng: weight of the number of parameters in the objective")
    delta0: Positive = Field(1.0, description="asng: initial step size")
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.25,
        description="simultaneous: share of the epochs, at the start, that train weights only (ProxylessNAS: 40 of "
        "160)",
    )
    update_interval: Count = Field(
        1, description="simultaneous: number of weight steps for each update of the distribution (ProxylessNAS: 5)"
    )
    policy_lr: Rate = Field(0.2, description="reinforce: learning rate of Adam for the distribution")
    gates: Literal["two_path", "full"] = Field(
        "two_path",
        description="proxyless: options of a decision that a step compares; two_path: two drawn options, full: all",
    )
    architecture_lr: Rate = Field(
        0.006, description="proxyless: learning rate of Adam for the distribution (arXiv 1812.00332, CIFAR-10)"
    )
    expected_cost: ExpectedCost = Field(
        default_factory=ExpectedCost, description="proxyless: expected cost in the loss of the distribution"
    )
    recalibration_images: Count = Field(
        2000, description="number of train images from which the BatchNorm statistics of a candidate are computed"
    )
    random_baseline: bool = Field(
        True, description="also run random search with as many evaluations, for comparison; doubles the search's cost"
    )
    prune_at_chance: bool = Field(
        True,
        description="end a trial as PRUNED if its supernet is not better than guessing: the best val loss of the "
        "search, or with nas.type simultaneous that of the network found, is about ln of the number of classes",
    )
    constraint: Constraint = Field(default_factory=Constraint, description="hard limits on the networks")
