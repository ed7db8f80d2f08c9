"""What a figure, a number and the report of a paper are."""
