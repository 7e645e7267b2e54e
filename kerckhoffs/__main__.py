"""python -m kerckhoffs"""

import sys

from kerckhoffs.cli import main

sys.exit(main())
