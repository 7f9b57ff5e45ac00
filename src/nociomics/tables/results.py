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
        Column(
            "shap_sd",
            "number",
            null=True,
            low=0,
            required=False,
            meaning="spread of the value between the model's bootstrap refits; empty for a model without refits",
        ),
        Column("class", null=True, required=False),
    ),
    row="one person, treatment (and class) and feature",
)

BASE_VALUES = Contract(
    "base_values",
    (_ARM, Column("base_value", "number"), Column("class", null=True, required=False)),
    row="one treatment (and class)",
)

IMPORTANCE = Contract(
    "importance",
    (
        Column("level", allowed=("feature", "group", "modality"), meaning="values of a group are summed, then sized"),
        Column("name", meaning="the feature, group or modality"),
        Column("modality", meaning="of the feature or group"),
        _ARM,
        Column("class", null=True, required=False, meaning="whose probability is explained"),
        Column("mean_abs_shap", "number", low=0, meaning="mean size over people; outcome points, or probability"),
        Column("lower", "number", null=True, low=0, meaning="95 %, over refits and people; empty without refits"),
        Column("upper", "number", null=True, low=0, meaning="end of the interval"),
        Column("mean_shap", "number", meaning="mean with its sign"),
        Column("people", "integer", low=0, meaning="explained"),
        Column("refits", "integer", low=0, meaning="of the model; their spread is in the interval"),
    ),
    key=("level", "name", "treatment", "class"),
    row="one feature, group or modality and treatment (and class); none of fewer than 10 people",
)

EXPLANATION_STABILITY = Contract(
    "explanation_stability",
    (
        _ARM,
        Column("class", null=True, required=False, meaning="whose probability is explained"),
        Column("people", "integer", low=0, meaning="whose values were ranked"),
        Column("refits", "integer", low=0, meaning="of the model; their spread is in the interval"),
        Column("rank_correlation", "number", null=True, meaning="mean over people, between two refits"),
        Column("rank_correlation_halves", "number", null=True, meaning="between the means of two halves of the refits"),
    ),
    row="one treatment (and class)",
)

OUT_OF_FOLD_VALUES = Contract(
    "out_of_fold_values",
    (
        _ID,
        _ARM,
        Column("class", null=True, required=False, meaning="whose probability is explained"),
        Column(
            "feature",
            meaning="a feature; <modality>_components: all components of a modality, which differ by fold",
        ),
        Column("modality"),
        Column("group"),
        Column("shap_value", "number", meaning="mean over repeats; outcome points, or probability for a class"),
        Column(
            "shap_sd",
            "number",
            null=True,
            low=0,
            meaning="spread between the models of different repeats; empty with one repeat",
        ),
        Column("base_value", "number", meaning="mean over repeats of the base of the fold that held this person out"),
        Column("repeats", "integer", low=1, meaning="models that held this person out"),
    ),
    row="one person, treatment (and class) and feature; base and values add up to the mean prediction out of fold",
)

DEPENDENCE = Contract(
    "dependence",
    (
        _ARM,
        Column("class", null=True, required=False, meaning="whose probability is explained"),
        Column("feature", meaning="one of the leading features"),
        Column("modality"),
        Column("group"),
        Column("rank", "integer", low=1, meaning="of the feature, by its mean size; 1 leads"),
        Column("kind", allowed=("values", "level", "not_measured"), meaning="what the bin holds"),
        Column("bin", "integer", low=1, meaning="place among the feature's bins"),
        Column("level", null=True, meaning="level of a category, several joined by |"),
        Column("from_value", "number", null=True, meaning="values from here on; empty: from the smallest"),
        Column("to_value", "number", null=True, meaning="values below this; empty: to the largest"),
        Column("mean_value", "number", null=True, meaning="mean of the bin's values"),
        Column("people", "integer", low=10, meaning="in the bin"),
        Column("mean_shap", "number", meaning="mean of the feature's values there; outcome points, or probability"),
        Column("lower", "number", null=True, meaning="95 %, over people and refits; empty without refits"),
        Column("upper", "number", null=True, meaning="end of the interval"),
    ),
    key=("treatment", "class", "feature", "bin"),
    row="one bin of at least 10 people of a leading feature, per treatment (and class)",
)

INTERACTIONS = Contract(
    "interactions",
    (
        _ID,
        _ARM,
        Column("feature"),
        Column("with_feature", meaning="itself: what is left to the feature alone"),
        Column("interaction", "number", meaning="outcome points; a pair stands twice, with half of it in each row"),
    ),
    key=("patient_id", "treatment", "feature", "with_feature"),
    row="one person, treatment and pair of features; all rows of a feature add up to its value",
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

CHALLENGERS = Contract(
    "challengers",
    (
        Column("challenger", meaning="its name in the settings; strata: the strata themselves"),
        Column("method", meaning="what it is"),
        Column("places_new_people", "boolean", meaning="whether a new person can be placed without fitting anew"),
        Column(
            "k_from", allowed=("own", "strata"), meaning="own: k is its own choice; strata: as many as there are strata"
        ),
        Column("criterion", meaning="how it chooses k"),
        Column("criterion_value", "number", null=True, meaning="at its own k; of the strata: see strata/summary.json"),
        Column("can_say_one", "boolean", meaning="whether that criterion can answer that there are no groups"),
        Column("k", "integer", null=True, low=1, meaning="number of groups asked for"),
        Column("people", "integer", null=True, low=0, meaning="people whom it placed"),
        Column("placed_share", "number", null=True, low=0, high=1, meaning="of all people"),
        Column("smallest", "integer", null=True, low=1, meaning="people of the smallest group"),
        Column(
            "stability",
            "number",
            null=True,
            low=-1,
            high=1,
            meaning="mean adjusted Rand index of everybody's groups with those found anew in 80 % of the people, "
            "with the same k",
        ),
        Column("subsamples", "integer", null=True, low=0, meaning="subsamples behind it"),
        Column("ari", "number", null=True, low=-1, high=1, meaning="adjusted Rand index with the strata"),
        Column("nmi", "number", null=True, low=0, high=1, meaning="normalised mutual information with the strata"),
        Column(
            "status",
            allowed=("ok", "one group", "too few people", "too many people", "not installed"),
            meaning="ok, or why there are no groups",
        ),
    ),
    key=("challenger", "k_from"),
    row="one way of grouping and one choice of its number of groups; the strata come first",
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

_OF = Column("of", meaning="S1, S2...; with one stratum the factor that stands in for strata: factor_1, ...")

STRATA_ASSOCIATIONS = Contract(
    "strata_associations",
    (
        Column("of", meaning="strata; with one stratum the factor: factor_1, ..."),
        Column("variable", meaning="what it may go with: site, plate, expression batch, measured blocks, outcome, ..."),
        Column(
            "role",
            allowed=("site", "batch", "missingness", "outcome", "treatment", "trait"),
            meaning="the first three judge; none of these was used to find strata, save what a batch did to the values",
        ),
        Column(
            "measure",
            allowed=("cramers_v", "correlation_ratio", "correlation"),
            meaning="Cramer's V and correlation ratio corrected for bias, both 0 to 1; rank correlation -1 to 1",
        ),
        Column("value", "number", null=True, low=-1, high=1, meaning="null when it cannot be computed"),
        Column("lower", "number", null=True, low=-1, high=1, meaning="95 % interval over people"),
        Column("upper", "number", null=True, low=-1, high=1, meaning="95 % interval over people"),
        Column("p", "number", null=True, low=0, high=1, meaning="by permutation of people"),
        Column("n", "integer", low=0, meaning="people for whom both are known"),
        Column(
            "verdict",
            allowed=(
                "batch cluster",
                "site cluster",
                "missingness cluster",
                "cannot tell",
                "one group",
                "clear",
                "not judged",
            ),
            meaning="a cluster: at least 0.2 and p at most 0.05; cannot tell: 0.2 by chance, or too few people; "
            "one group: all people are alike in it",
        ),
    ),
    key=("of", "variable"),
    row="the strata (or one factor) beside one variable",
)

STRATA_CONCENTRATIONS = Contract(
    "strata_concentrations",
    (
        Column("stratum"),
        Column("variable", meaning="as in strata_associations"),
        Column("role", allowed=("site", "batch", "missingness", "outcome", "treatment", "trait")),
        Column("level", meaning="group of the variable"),
        Column("people", "integer", low=0, meaning="of the stratum and this group"),
        Column("share", "number", null=True, low=0, high=1, meaning="of the stratum, who is in this group"),
        Column("expected_share", "number", null=True, low=0, high=1, meaning="of everybody, who is in this group"),
        Column("residual", "number", null=True, meaning="adjusted standardised residual; beyond 3 is no chance"),
        Column("concentrated", "boolean", meaning="residual above 3 and a share of 1.5 times the expected, or more"),
    ),
    key=("stratum", "variable", "level"),
    row="one stratum in one group of a variable; no rows with one stratum",
)

STRATA_MARKERS = Contract(
    "strata_markers",
    (
        _OF,
        Column("feature", meaning="column of features"),
        Column("level", meaning="category of a feature of words; empty text for a number"),
        Column("modality"),
        Column("group", meaning="instrument, analyte or gene"),
        Column("unit", meaning="of mean_in, mean_rest and difference_own"),
        Column("clustered_on", "boolean", meaning="the strata were made of it: that it differs is no surprise"),
        Column("scale", allowed=("linear", "log"), meaning="log: means are geometric, difference_own is a ratio"),
        Column("n_in", "integer", low=0, meaning="people of the stratum with a value"),
        Column("n_rest", "integer", low=0, meaning="everybody else with a value; 0 for a factor"),
        Column("mean_in", "number", null=True, meaning="weighted by membership; null for a factor"),
        Column("mean_rest", "number", null=True, meaning="weighted by 1 - membership; null for a factor"),
        Column(
            "difference_own", "number", null=True, meaning="in - rest in the unit, or their ratio; null for a factor"
        ),
        Column("difference", "number", null=True, meaning="in SD of everybody; for a factor per SD of the factor"),
        Column("lower", "number", null=True, meaning="95 % interval of difference"),
        Column("upper", "number", null=True, meaning="95 % interval of difference"),
        Column("p", "number", null=True, low=0, high=1),
        Column("q", "number", null=True, low=0, high=1, meaning="Benjamini-Hochberg over all rows of the table"),
        Column("mechanism", null=True, meaning="that it is a pre-specified marker of, by knowledge/strata_markers.csv"),
        Column("names", "boolean", meaning="may name the stratum: raised by more than 0.5 SD, interval without 0"),
    ),
    key=("of", "feature", "level"),
    row="one stratum (or factor) and one feature, or one category of it",
)

PAIN_MECHANISMS = Contract(
    "pain_mechanisms",
    (
        _ID,
        Column("mechanism", allowed=("neuropathic", "inflammatory", "nociplastic", "mixed")),
        Column(
            "evidence",
            allowed=("likely", "possible", "unlikely", "not shown", "not measured"),
            meaning="not shown: measured, and the rule can say nothing from this value",
        ),
        Column("rule", meaning="id of knowledge/pain_mechanisms.csv; together for all rules of the mechanism"),
        Column("value", "number", null=True, meaning="what was measured; null for together"),
        Column("source", meaning="of the rule, and whether it was checked"),
    ),
    key=("patient_id", "mechanism", "rule"),
    row="one person and rule, and one row (together) per person and mechanism; no other person is used",
)

MECHANISM_BY_STRATUM = Contract(
    "mechanism_by_stratum",
    (
        Column("stratum", meaning="S1, S2...; not placed for people without a stratum"),
        Column("mechanism", allowed=("neuropathic", "inflammatory", "nociplastic", "mixed")),
        Column("evidence", allowed=("likely", "possible", "unlikely", "not shown", "not measured")),
        Column("people", "integer", low=0),
        Column("of_stratum", "number", null=True, low=0, high=1, meaning="share of the stratum's people"),
        Column("of_everybody", "number", null=True, low=0, high=1, meaning="share of all people with this evidence"),
    ),
    key=("stratum", "mechanism", "evidence"),
    row="one stratum, mechanism and evidence, by the rows together of pain_mechanisms",
)
