"""``python -m paad`` is the ``paad`` command."""

import sys

from paad.cli.main import main

sys.exit(main())
