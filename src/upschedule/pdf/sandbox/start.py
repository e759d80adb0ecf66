"""Starts the zygote in an interpreter that takes nothing from its environment.

Run as `python -I -X utf8 start.py SEARCH_PATH DESCRIPTOR OPTIONS`. An isolated interpreter ignores PYTHONPATH, which is
how a release is found in the cluster, so the worker passes its search path as an argument (a JSON array).
"""

import json
import sys

if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv.pop(1))

    from upschedule.pdf.sandbox.zygote import main

    main()
