#!/bin/sh
# page.sh PAGE REPORT... - put the first report that is there between the two markers of the page.
set -eu
page=$1
shift
for report; do
        [ -s "$report" ] || continue
        tmp=$(mktemp)
        awk -v report="$report" '
                /^<!-- measured -->$/ { print; print "```"; while ((getline line < report) > 0) print line; print "```"; skip = 1 }
                /^<!-- \/measured -->$/ { skip = 0 }
                !skip && !/^<!-- measured -->$/' "$page" >"$tmp"
        cat "$tmp" >"$page"
        rm -f "$tmp"
        echo "bench: $page holds $report: $(sed -n 's/.*\(load .*after\),.*/\1/p;1q' "$report")"
        exit 0
done
echo "bench: no report yet; make bench or make bench-quick writes one" >&2
exit 1
