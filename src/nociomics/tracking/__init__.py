"""Tell MLflow about a finished study: its runs, their numbers, data and model.

The only room that speaks to MLflow. The stages write plain files and never wait for a tracker; what they found is
handed to `study_run.log_study` at the end, as a `run_record.RunRecord` with those of stages and folds below it. MLflow
is imported inside the functions, because it takes seconds.
"""
