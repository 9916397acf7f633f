#!/bin/sh
# page.sh PAGE REPORT RESULTS.json - put a run's report and its plots into the page, between its two markers. The plots are drawn
# into a folder "plots" beside the page.
set -eu
page=$1 report=$2 results=$3
here=$(dirname "$0")
plots=$(dirname "$page")/plots
[ -s "$report" ] && [ -s "$results" ] || { echo "bench: no report yet; make bench writes one" >&2; exit 1; }
mkdir -p "$plots"
rm -f "$plots"/*.png
"$here/plot.sh" "$results" "$plots"
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
{
        sed '/^<!-- measured -->$/q' "$page"
        echo '```'
        cat "$report"
        echo '```'
        for plot in "$plots"/*.png; do
                [ -f "$plot" ] || continue
                name=$(basename "$plot" .png)
                printf '\n![%s](plots/%s.png)\n' "$name" "$name"
        done
        sed -n '/^<!-- \/measured -->$/,$p' "$page"
} >"$tmp"
cat "$tmp" >"$page"
echo "bench: $page holds $report: $(sed -n 's/.*\(load .*after\),.*/\1/p;1q' "$report")"
