"""What people look at: figures, the report, the replay of one image, the page of live."""
