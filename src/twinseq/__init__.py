"""twinseq: synthetic twins of RNA-seq cohorts, with evidence of what they keep and what they leak."""
