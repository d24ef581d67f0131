"""The report on a study of samplers: how close each comes to a posterior that is known exactly."""
