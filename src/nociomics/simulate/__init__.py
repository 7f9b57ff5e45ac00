"""The invented cohort: known truth, and all the ugliness of real tables."""
