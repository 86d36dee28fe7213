"""What everything stands on: errors, files, text from outside, Ctrl-C, where the resources lie."""
