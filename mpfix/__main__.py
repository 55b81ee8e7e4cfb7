"""`python -m mpfix` is `mpfix`."""

from __future__ import annotations

from mpfix.cli.app import main

if __name__ == "__main__":
    main()
