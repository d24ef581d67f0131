"""The report on a study of trials: searches for one network in a table, beside what is published."""
