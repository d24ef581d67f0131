"""Where jobs run: jobs in, each as it ends. A file an engine."""
