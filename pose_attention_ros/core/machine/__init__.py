"""The machine beneath: how much work it can take, its heat, its file names, the output of its libraries."""
