"""Python 2.7. Prints case, behaviour and closing behaviour of a report, tab-separated: report.py INDEX_JSON"""

import json
import sys

with open(sys.argv[1]) as index:
    agents = json.load(index)
for cases in agents.values():
    for case, outcome in cases.items():
        print("\t".join([case, outcome["behavior"], outcome["behaviorClose"]]))
