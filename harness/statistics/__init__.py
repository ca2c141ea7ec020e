"""What a number over clips is worth: intervals, tests, corrections, ranks, power. Pure functions."""
