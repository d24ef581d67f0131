"""The CPU engine: one network a core, trained in compiled loops made for narrow networks on small images."""
