"""The tools of the legal plugin, one module each."""
