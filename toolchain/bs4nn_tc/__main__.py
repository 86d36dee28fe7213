"""`python -m bs4nn_tc` is `bs4nn-tc`."""

from bs4nn_tc.cli import main

if __name__ == "__main__":
    main()
