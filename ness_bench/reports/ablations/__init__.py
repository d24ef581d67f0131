"""The report on a study of ablations: what each choice changes, one at a time, on a prediction bank."""
