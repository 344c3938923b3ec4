"""Write the sparse splits of MAD's 210 training views that the package ships, by the rule of ``paad.bench.views``.

    python benchmarks/bench_mad_splits.py [FILE]

Without FILE the shipped list is compared with the rule; exit 1 if they differ.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from paad.bench import views
from paad.synth.rig import mad_rig

ABOUT = (
    "Indices, from 0, into the 210 training views of MAD-Sim in natural order of their file names (14 elevations by "
    "15 azimuths, elevation-major). Rule: farthest-point order of the viewing directions from index 0, ties to the "
    "lowest index; a split is the beginning of that order, sorted."
)


def main(argv: list[str]) -> int:
    """Write or compare."""
    rig = np.stack(mad_rig(210, 3.5))
    splits = {views.split_name(v): views.choose_views(v, 210, rig) for v in (*views.SHARES, views.SHOTS)}
    order = views.farthest_point_order(views.viewing_directions(rig))
    if argv:
        text = json.dumps({"about": ABOUT, "order": order, "splits": splits})
        Path(argv[0]).write_text(text.replace('], "', '],\n "').replace('{"100%', '{\n "100%') + "\n")
        return 0
    same = splits == views.published_splits()
    print("the shipped splits follow the rule" if same else "the shipped splits DIFFER from the rule")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
