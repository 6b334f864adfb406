"""What a release is made of: the procedure, its cross-fitted audit, what is kept on the way, what is written."""
