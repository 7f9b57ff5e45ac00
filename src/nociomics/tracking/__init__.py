"""Tell MLflow about a finished study: its runs, their numbers, data and model.

The only room that speaks to MLflow. The stages write plain files and never wait for a tracker; what they found is
handed to `study_run.log_study` and `strata_run.log_strata` at the end. MLflow is imported inside the functions, because
it takes seconds.
"""
