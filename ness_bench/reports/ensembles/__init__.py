"""The report on a study of ensembles: methods at identical budgets on a prediction bank."""
