"""Archives: what was delivered is kept, asked for, plotted, exported and, one day, given up."""
