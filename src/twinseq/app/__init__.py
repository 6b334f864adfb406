"""A small local web app for people who do not use a shell: a cohort in, a verdict and a twin out."""
