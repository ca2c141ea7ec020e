"""What a number over clips is worth: intervals, differences, corrections. Pure functions."""
