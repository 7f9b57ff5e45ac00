"""What the stages after harmonise write: the results that users and services read."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

_ID = Column("patient_id")
_ARM = Column("treatment", null=True, meaning="null in a study without treatments")

SPLITS = Contract(
    "splits",
    (_ID, Column("repeat", "integer"), Column("outer_fold", "integer"), Column("inner_fold", "integer")),
    key=("patient_id", "repeat"),
    row="one person in one repeat",
)

OUT_OF_FOLD = Contract(
    "out_of_fold",
    (
        _ID,
        Column("repeat", "integer"),
        Column("outer_fold", "integer"),
        _ARM,
        Column("expected", "number", null=True, meaning="points or units; null for multiclass"),
        Column("p_response", "number", null=True, low=0, high=1),
    ),
    key=("patient_id", "repeat", "treatment"),
    open=True,
    row="one person, repeat and treatment; one p_<class> column each for multiclass",
)

PROPENSITIES = Contract(
    "propensities",
    (
        _ID,
        Column("repeat", "integer"),
        Column("treatment"),
        Column("propensity", "number", low=0, high=1, meaning="probability of this treatment, from other outer folds"),
    ),
    key=("patient_id", "repeat", "treatment"),
    row="one person, repeat and treatment; none when everybody was randomised",
)

OBSERVATION = Contract(
    "observation",
    (
        _ID,
        Column("repeat", "integer"),
        Column("observed", "number", low=0, high=1, meaning="probability that the outcome was observed"),
    ),
    key=("patient_id", "repeat"),
    row="one person and repeat; none when fewer than 10 people lack the outcome",
)

PREDICTIONS = Contract(
    "predictions",
    (
        _ID,
        _ARM,
        Column("expected", "number", null=True),
        Column("lower", "number", null=True),
        Column("upper", "number", null=True),
        Column("p_response", "number", null=True, low=0, high=1),
        Column("status", meaning="ok, or why there is no answer"),
    ),
    key=("patient_id", "treatment"),
    open=True,
    row="one person and treatment",
)

EFFECTS = Contract(
    "effects",
    (
        _ID,
        Column("treatment_a"),
        Column("treatment_b"),
        Column("effect", "number", null=True, meaning="expected(a) - expected(b)"),
        Column("lower", "number", null=True),
        Column("upper", "number", null=True),
        Column("p_better", "number", null=True, low=0, high=1),
        Column("recommended", null=True),
        Column("status"),
    ),
    key=("patient_id", "treatment_a", "treatment_b"),
    row="one person and pair of treatments",
)

ASSIGNMENTS = Contract(
    "assignments",
    (
        _ID,
        Column("stratum", null=True, meaning="S1, S2...; null when nothing of the person was measured"),
        Column("entropy", "number", null=True, low=0),
        Column("atypical", "boolean", null=True),
        Column("between", "boolean", null=True),
    ),
    key=("patient_id",),
    open=True,
    row="one person; one p_<stratum> column each",
)

SHAP_VALUES = Contract(
    "shap_values",
    (
        _ID,
        _ARM,
        Column("feature"),
        Column("modality"),
        Column("group"),
        Column("feature_value", "number", null=True),
        Column("shap_value", "number", meaning="in outcome points; probability for a class"),
        Column("class", null=True, required=False),
    ),
    row="one person, treatment (and class) and feature",
)

BASE_VALUES = Contract(
    "base_values",
    (_ARM, Column("base_value", "number"), Column("class", null=True, required=False)),
    row="one treatment (and class)",
)

PGX_CALLS = Contract(
    "pgx_calls",
    (
        Column("sample"),
        Column("gene"),
        Column("build", null=True, meaning="genome build of the file; empty for an outside call"),
        Column(
            "call_state",
            allowed=("called", "no_call", "refused", "not_tested"),
            meaning="no_call: tried, nothing fits or is readable; refused: an outside result with no single meaning",
        ),
        Column("diplotype_top", null=True, meaning="best ranked of the pairs, never a decision"),
        Column("diplotype_candidates", null=True, meaning="every pair that fits, joined by |"),
        Column("n_candidates", "integer", null=True, low=0, meaning="how many pairs fit"),
        Column("phased", "boolean", null=True, meaning="all heterozygous positions in one phase block"),
        Column("positions_defining", "integer", null=True, low=0, meaning="positions of the tables"),
        Column("positions_called", "integer", null=True, low=0, meaning="of these, read in the file"),
        Column("positions_missing", null=True, meaning="rsIDs of the others, joined by |"),
        Column("missing_alleles", null=True, meaning="star alleles that cannot be excluded"),
        Column("partial_evidence", null=True, meaning="bases of half calls, as rsID:base"),
        Column("copy_number_state", null=True, meaning="known or unknown; empty where copies are two"),
        Column("source", null=True, meaning="vcf (a genotype file) or outside"),
        Column("function_1", null=True, meaning="function of the first haplotype"),
        Column("function_2", null=True, meaning="function of the second haplotype"),
        Column("activity_score_min", null=True, meaning="lowest score, as 1.25, ≥3.0 or n/a"),
        Column("activity_score_max", null=True, meaning="highest score"),
        Column("activity_score_candidates", null=True, meaning="every possible score, joined by |"),
        Column("phenotype", null=True, meaning="one word when all pairs agree"),
        Column("phenotype_candidates", null=True, meaning="every possible phenotype, joined by |"),
        Column("phenotype_certain", "boolean", null=True, meaning="whether all pairs agree"),
        Column("genotypes", null=True, meaning="bases of single variants, as rsID:A/G"),
        Column("genotype_names", null=True, meaning="star names of these bases, as rs762551:A=*1F,*30"),
        Column("flags", null=True, meaning="remarks on the call, joined by |"),
        Column("table_version", meaning="state of the tables of facts"),
        Column(
            "medication_state",
            null=True,
            required=False,
            allowed=("not_given", "not_listed", "unclear", "read"),
            meaning="not_listed: no row of this person; unclear: dates leave it open; empty: no such gene",
        ),
        Column("inhibitors", null=True, required=False, meaning="inhibitors that are taken, joined by |"),
        Column(
            "activity_score_with_inhibitors",
            null=True,
            required=False,
            meaning="possible scores under them, joined by |",
        ),
        Column("phenotype_with_inhibitors", null=True, required=False, meaning="possible phenotypes under them"),
        Column(
            "inhibitor_source", null=True, required=False, meaning="where strength and effect on the score are from"
        ),
    ),
    key=("sample", "gene"),
    open=True,
    row="one person and gene",
)

PGX_RECOMMENDATIONS = Contract(
    "pgx_recommendations",
    (
        Column("sample"),
        Column("drug"),
        Column("population", meaning="whom the guideline row is for; any where there is none"),
        Column("indication", null=True, meaning="as asked for"),
        Column("category", meaning="word of knowledge/pgx/advice_categories.csv"),
        Column(
            "strength",
            allowed=("none", "Optional", "Moderate", "Strong"),
            meaning="the guideline's; none where it gives none",
        ),
        Column("certain", "boolean", meaning="every possible result gives this category"),
        Column("category_candidates", meaning="every possible category, most cautious first"),
        Column("genes_used", null=True, meaning="genes with a result, joined by |"),
        Column("guideline", null=True, meaning="its name"),
        Column("year", "integer", null=True, meaning="its year"),
        Column("pmid", null=True, meaning="its number in PubMed"),
        Column("cpic_level", null=True, meaning="level of the pair"),
        Column("text", meaning="what it means, in our words"),
        Column(
            "answer",
            allowed=(
                "decided",
                "open",
                "cannot_call",
                "not_tested",
                "no_recommendation",
                "no_action",
                "no_actionable_pgx",
                "not_covered",
            ),
            meaning="kind of answer; open: several are possible; cannot_call: tested, with no usable result",
        ),
        Column("category_with_inhibitors", null=True, meaning="category under the inhibitors taken"),
        Column("text_with_inhibitors", null=True, meaning="what they change, in our words"),
    ),
    key=("sample", "drug", "population"),
    open=True,
    row="one person, drug and population",
)

PERMUTATIONS = Contract(
    "permutations",
    (
        Column("permutation", "integer", low=0, meaning="0: the outcomes as they are"),
        Column("metric", meaning="name of the headline"),
        Column("value", "number", null=True, meaning="the headline; null when nothing could be learned"),
    ),
    key=("permutation",),
    row="one refit of the whole pipeline",
)

FACTOR_SCORES = Contract(
    "factor_scores", (_ID,), key=("patient_id",), open=True, row="one person; one column factor_<n> each"
)

DUPLICATES = Contract(
    "duplicates",
    (Column("patient_a"), Column("patient_b"), Column("evidence", allowed=("genotype", "expression"))),
    key=("patient_a", "patient_b"),
    row="two ids that are probably one person",
)

ARMS = Contract(
    "arms",
    (_ARM, Column("people", "integer", low=0), Column("with_outcome", "integer", low=0)),
    open=True,
    row="one treatment: who got it, who has an outcome, what became of them",
)
