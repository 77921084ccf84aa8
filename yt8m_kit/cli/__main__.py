"""python -m yt8m_kit.cli: the command line without its script."""

import sys

from yt8m_kit.cli.main import main

sys.exit(main())
