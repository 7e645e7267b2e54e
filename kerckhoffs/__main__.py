"""python -m kerckhoffs"""

import sys

if __name__ == "__main__":  # worker processes import this module too
    try:
        from kerckhoffs.cli import main  # a second or two, in which Ctrl-C may come

        status = main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        status = 130
    sys.exit(status)
