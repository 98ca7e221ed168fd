"""`python -m spex_api` is `spex`."""

from spex_api.cli import main

if __name__ == "__main__":
    main()
