"""Settings of everything that learns; `nociomics.config` shows them with their defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nociomics.tables.study import Strict


class SplitSettings(Strict):
    """How people are divided for nested, grouped, repeated cross-validation."""

    outer_folds: int = Field(5, ge=2, le=20, description="folds of the reported estimate")
    inner_folds: int = Field(5, ge=2, le=20, description="folds inside each training part, for tuning")
    repeats: int | None = Field(
        None, ge=1, le=100, description="repeats of the outer folds; left out: 10 below 500 people, else 3"
    )
    genotype_concordance: float = Field(
        0.95, gt=0.7, le=1, description="people above this concordance over at least 100 variants share a fold"
    )
    expression_correlation: float = Field(
        0.90, gt=0.5, le=1, description="people above this gene-centred correlation share a fold"
    )


class BlockSettings(Strict):
    """How wide modalities are compressed before anything is modelled."""

    raw_up_to: int = Field(40, ge=1, description="modalities with at most this many features are used as they are")
    components: int = Field(10, ge=1, le=50, description="principal components of a wider modality")
    category_people: int = Field(5, ge=1, description="a category needs this many people to become a column")


class ResponseSettings(Strict):
    """How response is predicted."""

    refits: int = Field(
        20, ge=2, le=200, description="bootstrap refits of the final model; its effect intervals use them"
    )
    refits_in_folds: int = Field(
        1, ge=1, le=200, description="refits of each cross-validated model; 1 takes everybody of the training part once"
    )
    candidates: list[str] = Field(
        [],
        description="learners to choose among, by their names in config/models/candidates.csv; left out: all that fit",
    )
    trees: int = Field(200, ge=1, le=5000, description="trees of each treatment's forest, over all refits together")
    tree_depth: int = Field(4, ge=1, le=12, description="largest depth of a tree")
    leaf_people: int = Field(5, ge=1, description="smallest number of people in a leaf")
    level: float = Field(0.90, gt=0.5, lt=1, description="level of the intervals")
    background_people: int = Field(
        100, ge=10, le=2000, description="training people stored as the explanation's background"
    )


class ResamplingSettings(Strict):
    """How often the whole pipeline is repeated to learn what its figures are worth."""

    permutations: int = Field(
        0,
        ge=0,
        le=10000,
        description="refits on outcomes dealt out anew within treatment and group, each as dear as one repeat of the "
        "cross-validation; 200 for a p value before a study is published, 0: no p value",
    )
    permutations_per_job: int = Field(25, ge=1, description="permutations that one job of the workflow makes")
    block_gains: bool = Field(
        True,
        description="whether the model is learned once more without each omics block, on the first repeat of the "
        "folds, to tell what the block adds to all others",
    )
    learning_shares: list[float] = Field(
        [0.25, 0.5, 0.75], description="shares of each training part that the learning curve is measured at"
    )


class StrataSettings(Strict):
    """How strata are looked for."""

    factors: int = Field(
        6, ge=1, le=6, description="most factors over scale scores, log analytes and components; as many as fit best"
    )
    largest_k: int = Field(6, ge=1, le=12, description="largest number of strata tried")
    starts: int = Field(10, ge=1, description="random starts of each mixture")
    level: float = Field(
        0.01, gt=0, lt=0.2, description="chance of one stratum too many that each further stratum has to beat"
    )
    smallest: int = Field(30, ge=10, description="fewest people of a stratum; more strata than that are not claimed")
    bootstraps: int = Field(
        100, ge=0, le=1000, description="refits on 63.2 % of the people for the stability of each stratum"
    )
    atypical_share: float = Field(
        0.01, gt=0, lt=0.2, description="share of training people that counts as atypical by distance"
    )
    between_below: float = Field(0.6, gt=0, lt=1, description="largest membership below this: between strata")
    challengers: list[Literal["kmeans", "consensus", "network_fusion", "average_neighbours", "mofa"]] = Field(
        ["kmeans", "consensus", "network_fusion", "average_neighbours"],
        description="other ways of grouping that are shown beside the strata; mofa needs the package mofapy2",
    )
    subsamples: int = Field(
        20,
        ge=0,
        le=1000,
        description="draws of 80 % of the people that stability is compared on, strata and challengers",
    )
