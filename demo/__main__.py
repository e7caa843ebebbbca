# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a good release goes all the way, a bad one is turned back, and a client counts what users would see."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from demo import report
from demo.log import Result
from demo.stage import ROOT, Stage, StageError


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--router", choices=("envoy", "haproxy", "nginx"), default="envoy")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "demo", help="where logs and the summary go")
    parser.add_argument("--times", type=int, default=1, help="how often the bad release is tried (1)")
    options = parser.parse_args()
    router, build = options.router, options.build
    try:
        with Stage(router, build) as stage:
            passed, bad = stage.rollout("v2"), []
            for dummy in range(max(1, options.times)):
                turned = stage.rollout("v3-bad")
                bad.append(report.bad(Result.load(str(turned["log"])), turned["journal"], turned["outcome"]))
    except StageError as error:
        print("demo: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    summary = {
        "router": router,
        "good": report.good(Result.load(str(passed["log"])), passed["journal"], passed["outcome"]),
        "bad": bad,
    }
    (build / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(report.table(summary))
    turned_back = all(each["outcome"] == "rolled_back" for each in bad)
    return 0 if summary["good"]["outcome"] == "promoted" and turned_back else 1


if __name__ == "__main__":
    sys.exit(main())
