"""What the shipped probes that measure do: `libexec/aggrexec` has the programs, one for each."""
