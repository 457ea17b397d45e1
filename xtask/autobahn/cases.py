"""Python 2.7. Prints the cases of the suite for some patterns, one a line: cases.py 1.* 2.*"""

import os
import site
import sys

site.addsitedir(os.environ["AUTOBAHN_SITE"])

from autobahntestsuite.case import CaseBasename, CaseCategories, Cases, CaseSetname, CaseSubCategories
from autobahntestsuite.caseset import CaseSet

suite = CaseSet(CaseSetname, CaseBasename, Cases, CaseCategories, CaseSubCategories)
for pattern in sys.argv[1:]:
    found = suite.resolveCasePatternList([pattern])
    unknown = [case for case in found if case not in suite.CasesById]
    if unknown or not found:
        sys.exit("the suite has no case %s" % (unknown or pattern))
for case in suite.parseSpecCases({"cases": sys.argv[1:]}):
    print(case)
