"""What a network is and computes: types, files, the reference, figures, other people's weights."""
