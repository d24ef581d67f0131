"""Tables of trained architectures: one number a run, so they rank architectures but cannot score an ensemble."""
