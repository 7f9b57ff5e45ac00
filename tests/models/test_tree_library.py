"""Trees grown in one go and in several, and XGBoost brought in alone."""

import subprocess
import sys

import numpy as np
import xgboost

from nociomics.models.tree_library import Growing, grow, tree_rows

PARAMETERS = {"max_depth": 2, "subsample": 0.7, "colsample_bynode": 0.5, "seed": 3, "nthread": 1, "tree_method": "hist"}


def rows():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(80, 5))
    return values, values[:, 0] + rng.normal(size=80)


def test_trees_grown_in_two_goes_are_those_of_one_and_of_xgboosts_own_training():
    values, outcome = rows()
    growing = Growing(PARAMETERS, tree_rows(values, outcome))
    growing.more(4)
    twice = growing.more(10).predict(tree_rows(values))
    trained = xgboost.train(PARAMETERS, tree_rows(values, outcome), num_boost_round=10)
    np.testing.assert_array_equal(twice, grow(PARAMETERS, tree_rows(values, outcome), 10).predict(tree_rows(values)))
    np.testing.assert_array_equal(twice, trained.predict(tree_rows(values)))


def test_a_limit_is_kept():
    growing = Growing(PARAMETERS, tree_rows(*rows()), most=2)
    assert growing.more(10).num_boosted_rounds() == 2


def test_xgboost_comes_without_scikit_learn_which_can_be_had_later():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from nociomics.models.tree_library import tree_library\n"
            "tree_library()\n"
            "assert 'sklearn' not in sys.modules\n"
            "import sklearn.linear_model\n"
            "print('both')",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "both\n"
