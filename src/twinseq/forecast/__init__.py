"""What to expect of a twin before anything is spent, from public quantities alone; the front door is `twinseq.plan`."""
