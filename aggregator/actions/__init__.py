"""What the shipped actions of triggers do: `libexec/trigger` has the programs, one for each."""
